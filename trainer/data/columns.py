"""Samples as arrays side by side, a row each, kept as files beside the runs that learn from them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.text import first_line
from trainer.errors import DatasetError
from trainer.files import stored


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Base of dataclasses whose every field is an array with the samples along its first axis."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def pick(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def join(cls, sets: Sequence[Self]) -> Self:
        return cls(*(np.concatenate([getattr(s, field.name) for s in sets]) for field in fields(cls)))

    def save(self, path: Path) -> None:
        """Writes ``path`` (.npz) to the disk, whole or not at all; makes its folder. ``SinkError`` names it."""
        with stored(path) as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def kept(cls, path: Path, make: Callable[[], Self]) -> Self:
        """What is in ``path``; if it is not there, what ``make`` gives, saved there."""
        if path.exists():
            return cls.load(path)
        made = make()
        made.save(path)
        return made

    @classmethod
    def load(cls, path: Path) -> Self:
        """What ``save`` wrote. ``DatasetError`` for a file that is damaged or holds something else."""
        try:
            with path.open("rb") as file, np.load(file) as found:
                return cls(*(found[field.name] for field in fields(cls)))
        except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(
                f"{path}: expected {', '.join(field.name for field in fields(cls))}, cannot read them: "
                f"{first_line(error)}; remove the file; the command that made it makes it anew"
            ) from error
