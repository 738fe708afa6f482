"""What the forms of others leave open: where a frame lies, whose case it is, what its classes mean."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainer.data.names import case_folder, case_of, label_of, like_a_split, split_named, split_of_case
from trainer.data.tables import read_table
from trainer.data.walk import is_there
from trainer.errors import DatasetError

CASES_FILE = "cases.csv"


class GuessedWarning(UserWarning):
    """Cases that nobody stated were read off names, which may say something else."""


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
            return self._folder_of(picture) or case_of(picture.name)
        if not self.cases.get(picture.name):
            raise DatasetError(f"{self.folder / CASES_FILE}: no case for {picture.name}; add a line for it")
        return self.cases[picture.name]

    def tell_guessed(self, pictures: Iterable[Path]) -> None:
        """One ``GuessedWarning`` where the cases of some ``pictures`` were read off the files' names: a running number
        or a time of day makes cases that are none. Another where a case's folder may be a split's."""
        if self.cases:
            return
        folders = {picture: self._folder_of(picture) for picture in pictures}
        unknown = [picture for picture, folder in folders.items() if folder is None]
        if unknown:
            cases = {case_of(picture.name) for picture in unknown}
            warnings.warn(
                f"{self.folder}: cases were read off the files' names: {len(unknown)} pictures, {len(cases)} cases; "
                f"state them in {CASES_FILE} or give each case a folder",
                GuessedWarning,
                stacklevel=3,
            )
        doubtful = sorted(
            {
                folder
                for picture, folder in folders.items()
                if folder and like_a_split(folder) and not split_named(self._within(picture).parent / "_")
            }
        )
        if doubtful:
            warnings.warn(
                f"{self.folder}: {len(doubtful)} folder(s) with a split's name or the like are taken for cases, first "
                f"'{doubtful[0]}'; call a split train, val or test, or state the cases in {CASES_FILE}",
                GuessedWarning,
                stacklevel=3,
            )

    def _folder_of(self, picture: Path) -> str | None:
        return case_folder(self._within(picture))

    def _within(self, picture: Path) -> Path:
        return Path(os.path.relpath(picture, self.folder))

    def split(self, case: str, stated: str | None) -> str:
        return stated or split_of_case(case)

    def find(self, name: str, places: Iterable[Path], said_by: Path) -> Path:
        """The picture called ``name`` in the first of ``places`` that has it."""
        tried = [place / name for place in places]
        for path in tried:
            if is_there(path):
                return path
        raise DatasetError(f"{said_by}: its picture {name} is not there; looked in {', '.join(_folders(tried))}")


def _folders(paths: Iterable[Path]) -> list[str]:
    return list(dict.fromkeys(str(path.parent) for path in paths))


def stranger_label(name: str, where: str) -> str:
    label = label_of(name)
    if label is None:
        raise DatasetError(f"{where}: class '{name}' is none of 1..22, X, Y (chr7 and C7 will do); rename or remove it")
    return label
