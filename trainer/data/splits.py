"""Splits: a case or a donor belongs to one, or a test would measure memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from trainer.errors import DatasetError

SPLITS = ("train", "val", "test")


class NamesakeWarning(UserWarning):
    """Cases or donors of one name are in different splits of different sets: they may be the same, or others of that
    name."""


def check_splits(members: Iterable[tuple[str, str]], kind: str, table: str) -> None:
    """Checks the (case or donor, split) of every picture; ``kind``, "case" or "donor", is for the message.

    ``DatasetError`` if one of them is in two splits, or a split is none of ``SPLITS``.
    """
    split_of: dict[str, str] = {}
    shared: dict[str, set[str]] = {}
    for owner, split in members:
        if split not in SPLITS:
            raise DatasetError(f"{table}: split must be one of {', '.join(SPLITS)}, got '{split}'")
        if split_of.setdefault(owner, split) != split:
            shared.setdefault(owner, {split_of[owner]}).add(split)
    if shared:
        owner = min(shared)
        raise DatasetError(
            f"{table}: {len(shared)} {kind}(s) in more than one split, first '{owner}' in "
            f"{' and '.join(sorted(shared[owner]))}; split by {kind}, never by picture"
        )


def require_split(wanted: str, present: Iterable[str], table: str, what: str = "picture") -> None:
    """``DatasetError``, naming the splits that are there, if the table has none ``wanted``; ``what`` says what is
    missed."""
    found = sorted(set(present))
    if wanted not in found:
        raise DatasetError(f"{table}: no {what} in split '{wanted}'; splits here: {', '.join(found) or 'none'}")


def warn_of_namesakes(sets: Mapping[str, Mapping[str, str]]) -> None:
    """One ``NamesakeWarning`` that counts namesakes and names the first; no warning without any. ``sets``: set to case
    or donor to split."""
    first: dict[str, tuple[str, str]] = {}
    shared: dict[str, str] = {}
    for place, owners in sets.items():
        for owner, split in owners.items():
            before, there = first.setdefault(owner, (split, place))
            if before != split:
                shared.setdefault(owner, f"{before} in {there} and {split} in {place}")
    if shared:
        owner = min(shared)
        warnings.warn(
            f"{len(shared)} case(s) or donor(s) of one name in more than one split, first '{owner}', {shared[owner]}; "
            "if they are the same, put them into one",
            NamesakeWarning,
            stacklevel=2,
        )
