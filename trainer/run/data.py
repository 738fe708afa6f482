"""The sets of a run: checked before an older run makes way for it, and recognised when it goes on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from trainer.data.crops import donors_of
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.pictures import SkippedWarning
from trainer.data.sources import holds_cutouts, marked_owners, stamp_of
from trainer.data.splits import require_split
from trainer.data_note import Stamp
from trainer.errors import DatasetError


def stamps_of(sources: Iterable[str | Path]) -> list[Stamp]:
    """Name and stamp of each set, once. ``DatasetError`` where one is not there or contradicts itself."""
    return [(source.name, stamp_of(source)) for source in dict.fromkeys(map(Path, sources))]


def frames_for(data: str, *splits: str) -> list[Stamp]:
    """The stamp of a set of frames, for ``Run.open``. ``DatasetError`` unless each of the splits has a picture that can
    be read: a finished run is not to be cleared for a misspelled path."""
    for split in splits:
        _frames(Path(data), split)
    return stamps_of([data])


def cell_sets(learned: Sequence[str], judged: str) -> list[Stamp]:
    """The stamps of sets of frames or cut-outs, as ``frames_for`` gives them: those whose train cells are ``learned``
    from, and the one whose val cells training is ``judged`` by. ``DatasetError`` if a case of one's train is in the val
    of ``judged`` or in any other's test: training must not be judged by what it learned."""
    sets = dict.fromkeys((*learned, judged))
    held = [(judged, "val", _owners(Path(judged), "val"))]
    held += [(data, "test", marked_owners(Path(data)).get("test", set()) - {""}) for data in sets]
    for data in dict.fromkeys(learned):
        _require_others(data, "train", held)
    _require_others(judged, "val", held[1:])
    return stamps_of(sets)


def _require_others(data: str, own: str, held: Sequence[tuple[str, str, set[str]]]) -> None:
    """``DatasetError`` if a case or donor of the set's split ``own`` is among those ``held``: (set, split, owners)
    each."""
    owners = _owners(Path(data), own)
    for other, split, theirs in held:
        both = sorted(owners & theirs)
        if both:
            raise DatasetError(
                f"{data}: {len(both)} case(s) or donor(s) of {own} are {split}'s in {other}, first '{both[0]}'; "
                "give them the same split in both"
            )


def _owners(data: Path, split: str) -> set[str]:
    """The cases of frames, or the donors of cut-outs, in a split. ``DatasetError`` where nothing is in it."""
    if holds_cutouts(data):
        donors = donors_of(data)
        require_split(split, donors, str(data))
        owners = donors[split]
    else:
        owners = {frame.case for frame in _frames(data, split)}
    return owners - {""}


def _frames(data: Path, split: str) -> list[FrameTruth]:
    """The frames of a split. No warning for those left out: it comes when they are read to be learned from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkippedWarning)
        return read_frames(data, split)
