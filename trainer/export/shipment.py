"""What is to be exported, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trainer.export.tflite import Form
from trainer.files import shipped_models
from trainer.run.trained import settings_of


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to ship and where: the run folder, or a bundle to be had in another form; the data for ranges, proof and,
    for a run's network, calibration; the new bundle's folder; the command."""

    run: Path
    data: Path
    out: Path
    form: Form | Literal["onnx"]
    command: str
    models: Path = field(default_factory=shipped_models)
    """The locator, separator and classifier that find what a verifier judges, and cut frames for a bundle's export."""
    limit: int | None = None
    """At most so many val frames or crops are used; None for all."""
    edgetpu: bool = False
    """Whether the Edge TPU must take it."""

    def facts(self, calibrated: bool = True) -> dict[str, Any]:
        """What its bundle says of where it comes from, as ``write_bundle`` takes it: each set that the run learned
        from, once, or the export's set where the run does not say."""
        learned_from = settings_of(self.run).get("data") or str(self.data)
        sources = [learned_from] if isinstance(learned_from, str) else learned_from
        name = ", ".join(dict.fromkeys(Path(source).name for source in sources))
        return {
            "data": {"name": name, "train": "train"} | ({"calibrated_on": "val"} if calibrated else {}),
            "command": self.command,
        }
