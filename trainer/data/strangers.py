"""What the forms of others leave open: where a frame lies, whose case it is, what its classes mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.data.names import case_folder, case_of, label_of, split_of_case
from trainer.data.tables import read_table
from trainer.errors import DatasetError

CASES_FILE = "cases.csv"


@dataclass(frozen=True, slots=True)
class Strangers:
    """A folder of somebody else's; ``cases``: frame's file name to case, as ``cases.csv`` has it, if it is there."""

    folder: Path
    cases: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> Strangers:
        table = folder / CASES_FILE
        rows = read_table(table, ("image", "case")) if table.is_file() else []
        return cls(folder, {row.text("image"): row.text("case") for row in rows})

    def case(self, picture: Path) -> str:
        """The one of ``cases.csv``, else the folder that it is named by, else the one that the file's name has."""
        if not self.cases:
            return case_folder(Path(os.path.relpath(picture, self.folder))) or case_of(picture.name)
        if not self.cases.get(picture.name):
            raise DatasetError(f"{self.folder / CASES_FILE}: no case for {picture.name}; add a line for it")
        return self.cases[picture.name]

    def split(self, case: str, stated: str | None) -> str:
        return stated or split_of_case(case)

    def find(self, name: str, places: Iterable[Path], said_by: Path) -> Path:
        """The picture called ``name`` in the first of ``places`` that has it."""
        tried = [place / name for place in places]
        for path in tried:
            if path.is_file():
                return path
        raise DatasetError(f"{said_by}: its picture {name} is not there; looked in {', '.join(_folders(tried))}")


def _folders(paths: Iterable[Path]) -> list[str]:
    return list(dict.fromkeys(str(path.parent) for path in paths))


def stranger_label(name: str, where: str) -> str:
    label = label_of(name)
    if label is None:
        raise DatasetError(f"{where}: class '{name}' is none of 1..22, X, Y (chr7 and C7 will do); rename or remove it")
    return label
