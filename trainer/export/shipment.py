"""What is to be exported, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.export.tflite import Form


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to ship and where: the run folder, the data that calibrates, the bundle's folder, the command."""

    run: Path
    data: Path
    out: Path
    form: Form
    command: str
    models: Path = Path("models")
    """For a verifier: the locator, separator and classifier whose finds it will judge."""
    limit: int | None = None
    """Only so many val frames or crops; None for all."""

    def facts(self, calibrated: bool = True) -> dict[str, Any]:
        """What every bundle of it says of where it comes from, as ``write_bundle`` takes it."""
        data = {"name": self.data.name, "train": "train"} | ({"calibrated_on": "val"} if calibrated else {})
        return {"data": data, "command": self.command}
