"""Samples as arrays side by side, a row each, kept as files beside the runs that learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt


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
        """As ``path`` (.npz), whole or not at all; makes the folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **{field.name: getattr(self, field.name) for field in fields(self)})
        part.rename(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path) as stored:
            return cls(*(stored[field.name] for field in fields(cls)))
