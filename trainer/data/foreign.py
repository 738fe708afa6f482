"""What the files of other programs leave open: where a frame lies, which case it is of, what a class's name means."""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from edge.camera.files import PICTURE_SUFFIXES
from trainer.data.names import before_upload, case_folder, case_of, label_of, like_a_split, split_named, split_of_case
from trainer.data.tables import read_table
from trainer.data.walk import is_there, plain_path
from trainer.errors import DatasetError

CASES_FILE = "cases.csv"
_SEX = re.compile(r"(?<!\d)2[34](?=\s*$)")


class GuessedWarning(UserWarning):
    """Cases were read off names or folders because nobody stated them; names may say something else."""


@dataclass(frozen=True, slots=True)
class ForeignSet:
    """A folder in another program's form; ``cases``: a frame's file name, or its path in the folder, to its case, as
    ``cases.csv`` states it; empty without that file."""

    folder: Path
    cases: Mapping[str, str]
    _pictures: dict[Path, dict[str, list[Path]]] = field(default_factory=dict, repr=False)
    """Folders that were looked through: each with its pictures by name, in the form that is alike on all systems."""
    _taken: dict[str, str] = field(default_factory=dict, repr=False)
    """Lines of ``cases.csv`` that were asked for: each with the picture that it is of."""

    @classmethod
    def of(cls, folder: Path) -> ForeignSet:
        table = folder / CASES_FILE
        rows = read_table(table, ("image", "case")) if table.is_file() else []
        cases: dict[str, str] = {}
        for row in rows:
            image = _composed(str(plain_path(row.text("image"))))
            if cases.setdefault(image, row.text("case")) != row.text("case"):
                raise row.wrong("image", "another in each line; write the folders of pictures of the same name, too")
        return cls(folder, cases)

    def case(self, picture: Path) -> str:
        """The case that ``cases.csv`` states, else the one that a folder tells (``names.case_folder``), else the one
        that the file's name tells. ``DatasetError`` if ``cases.csv`` lacks the picture, or states one by a name that
        two pictures have."""
        if not self.cases:
            return _composed(self._folder_of(picture) or case_of(picture.name))
        inside, name = (_composed(said) for said in (self._within(picture).as_posix(), picture.name))
        line = inside if self.cases.get(inside) else name
        if not self.cases.get(line):
            raise DatasetError(f"{self.folder / CASES_FILE}: no case for {inside}; add a line for it")
        if self._taken.setdefault(line, inside) != inside:
            raise DatasetError(
                f"{self.folder / CASES_FILE}: {line} may be {self._taken[line]} or {inside}; write a line for each, "
                "with its folders"
            )
        return _composed(self.cases[line])

    def tell_guessed(self, pictures: Iterable[Path], one_will_do: bool = False) -> None:
        """Warns, with a ``GuessedWarning`` each, if cases of some ``pictures`` were read off the files' names, for a
        running number or a time of day makes wrong cases; if one folder makes all of them one case, unless
        ``one_will_do``; and if a case's folder may be a split's."""
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
        named = set(folders.values())
        if len(folders) > 1 and len(named) == 1 and not unknown and not one_will_do:
            warnings.warn(
                f"{self.folder}: all {len(folders)} pictures are taken for one case, '{named.pop()}', as the folder is "
                f"called that they lie in; if they are of more, name that folder as the set, or state the cases in "
                f"{CASES_FILE}",
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
        """The picture called ``name`` in the first of ``places`` that has it. A name may lack its suffix, or be a path
        of the system that the set was made on, where upper and lower case, or the ways to write an umlaut, may be the
        same. Label Studio writes a blank as %20, and letters of its own before the name: what is there as it is written
        comes first. ``DatasetError``, naming the file ``said_by``, if it is not there."""
        names = _written(name)
        tried = [place / own for own in names for place in places]
        for path in tried:
            if is_there(path):
                return path
        for folder in dict.fromkeys(path.parent for path in tried):
            for own in dict.fromkeys(PurePosixPath(own).name for own in names):
                alike = self._alike(folder, own)
                if len(alike) == 1:
                    return alike[0]
        raise DatasetError(f"{said_by}: its picture {name} is not there; looked in {', '.join(_folders(tried))}")

    def _alike(self, folder: Path, name: str) -> list[Path]:
        """The pictures in ``folder`` whose names, or names without suffix, are ``name`` but for how it is written."""
        if folder not in self._pictures:
            there = self._pictures[folder] = {}
            for path in _listed(folder):
                if path.suffix.lower() in PICTURE_SUFFIXES:
                    for own in (path.name, path.stem):
                        there.setdefault(_folded(own), []).append(path)
        return self._pictures[folder].get(_folded(name), [])


def _written(name: str) -> list[str]:
    """The ways to write the name or path of a picture, as it is first."""
    names = []
    for said in (name, unquote(name)):
        plain = plain_path(said)
        names += [said, str(plain), plain.name]
    return list(dict.fromkeys((*names, before_upload(names[-1]))))


def _composed(name: str) -> str:
    """``name`` with each umlaut as one letter: some systems write two, and one case would become two."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()


def _listed(folder: Path) -> list[Path]:
    """None where there is no such folder, it may not be looked into, or none can have that name."""
    try:
        return sorted(folder.iterdir())
    except (OSError, ValueError):
        return []


def _folders(paths: Iterable[Path]) -> list[str]:
    return list(dict.fromkeys(str(path.parent) for path in paths))


def foreign_label(name: str, where: str) -> str:
    """The class that a mark's ``name`` stands for; 23 is X, 24 is Y. ``DatasetError``, naming ``where``, if it is
    none."""
    label = label_of(name) or label_of(_SEX.sub(lambda found: "XY"[int(found[0]) - 23], name))
    if label is None:
        raise DatasetError(
            f"{where}: class '{name}' is none of 1..22, X, Y (chr7, C7, 07 and 23 for X will do); rename or remove it"
        )
    return label
