"""The crops that a classifier's run learns from: those of all its sets, made once and kept in its folder."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edge.locate.locator import load_locator
from trainer.data.crops import ANY_SPLIT, TURNED_SHARE
from trainer.data.cropset import DRAWN, CropSet, crops_of_cutouts, crops_of_drawings, crops_of_frames
from trainer.data.sources import form_of, holds_cutouts, kept_at, marked_owners, splits_at
from trainer.data.splits import require_split
from trainer.data_note import FRESH, Stamp, require_noted, write_note
from trainer.errors import DatasetError
from trainer.fit.align import align, doubtful, upside_down
from trainer.run.data import stamps_of
from trainer.run.folder import CROP_FILES

if TYPE_CHECKING:
    from trainer.fit.classifier import ClassifierConfig

VAL_DONORS = 0.08


class HeldWarning(UserWarning):
    """Train crops were left out because their donor or case is in val or test."""


def load_crops(config: ClassifierConfig, out: Path, aligner: Any, mend: str = FRESH) -> tuple[CropSet, CropSet]:
    """Train and val crops of all sources, polarity included; made once and kept in the run folder. ``ConfigError`` with
    the ``mend`` if those that are there come from other data."""
    kept = [out / name for name in CROP_FILES]
    if all(path.exists() for path in kept):
        require_noted(out, _stamps(config), f"the crops in {out} were cut from", mend)  # given crops have no note
        return stored_crops(out)
    out.mkdir(parents=True, exist_ok=True)
    write_note(out, _stamps(config))  # before the crops, so that there are none without a note
    sources = Counter(map(Path, config.data))
    there = _owners_of(sources, bool(config.drawn_cells))
    trains, vals = [], []
    if config.drawn_cells:
        trains.append(crops_of_drawings(config.drawn_cells, config.seed))
    for source, times in sources.items():
        if holds_cutouts(source):
            train, val = (
                align(aligner, _upright(crops, aligner, source)) for crops in cut_out(source, Path(config.models))
            )
            trains += [train] * (config.cutout_repeats * times)
            vals.append(val)
        else:
            for split, sets in (("train", trains), ("val", vals)):
                if split in there[source]:
                    frames = align(aligner, cut_frames(source, split, Path(config.models), out.parent))
                    sets += [frames] * (times if split == "train" else 1)
    tested = [owner for owners in there.values() for owner in owners.get("test", ())]
    train = _without_held(CropSet.join(trains), tested, "test")
    if vals:
        val = _without_held(CropSet.join(vals), tested, "test", of="val")
        train = _without_held(train, val.case.tolist(), "val")
    else:  # no set has val: a laboratory's first cells, of few cases
        train, val = _held_back(train, "case", ", ".join(map(str, sources)))
    if config.doubtful_repeats > 1:
        rare = train.pick(doubtful(aligner, train))
        train = CropSet.join([train] + [rare] * (config.doubtful_repeats - 1))
    train.save(kept[0])
    val.save(kept[1])
    return train, val


def _stamps(config: ClassifierConfig) -> list[Stamp]:
    """The stamps of the sets that are there: crops that are kept need no set."""
    return stamps_of(source for source in config.data if Path(source).exists())


def require_crops(config: ClassifierConfig) -> None:
    """``DatasetError`` or ``ModelError`` if no crops can be cut: a misspelled path must not cost a finished run."""
    if not all(map(holds_cutouts, _owners_of(map(Path, config.data), bool(config.drawn_cells)))):
        load_locator(Path(config.models))
    stamps_of(config.data)


def _without_held(crops: CropSet, held: Sequence[str], split: str, of: str = "train") -> CropSet:
    """``crops``, of the split ``of``, without those of the donors and cases ``held`` in ``split``, which another set
    may hold back."""
    both = np.isin(crops.case, np.array(held, np.str_)) & (crops.case != "")
    if not both.any():
        return crops
    if both.all():
        raise DatasetError(f"every donor or case of {of} is one of {split} in another set; give sets of more donors")
    named = sorted(set(crops.case[both].tolist()))
    warnings.warn(
        f"{int(both.sum())} {of} crops are of {len(named)} donor(s) or case(s) that another set has in {split}, first "
        f"'{named[0]}'; they are left out of {of}",
        HeldWarning,
        stacklevel=3,
    )
    return crops.pick(~both)


def _owners_of(sources: Iterable[Path], drawn: bool) -> Mapping[Path, Mapping[str, Collection[str]]]:
    """The owners of each set's chromosomes, split by split. ``DatasetError``, before any crop is cut, if a set has
    none, if no set has any in train, or if there is nobody to hold back; ``drawn`` says that drawn ones are added to
    train."""
    there = {source: marked_owners(source) for source in sources}
    named = ", ".join(map(str, there))
    for source, owners in there.items():
        if not owners:
            raise DatasetError(f"{source}: expected boxes of chromosomes, found none in any split; leave the set out")
        if holds_cutouts(source):
            if ANY_SPLIT not in owners:
                require_split("train", owners, str(source))
            if "val" not in owners:
                _require_two(owners.get("train", ()), "donor", str(source))
    if not drawn and not any("train" in owners for owners in there.values()):
        raise DatasetError(f"{named}: no chromosome in split 'train'; add a set that has some{_by_name(there)}")
    if not any("val" in owners or holds_cutouts(source) for source, owners in there.items()):
        trained = [case for owners in there.values() for case in owners.get("train", ())]
        _require_two(trained, "case", named, _by_name(there))
    return there


def _upright(crops: CropSet, aligner: Any, source: Path) -> CropSet:
    """``crops`` themselves; ``DatasetError`` if the network that the run starts from sees those that should be upright
    the other way up: it would unlearn which end is which."""
    turned = upside_down(aligner, crops)
    if turned >= TURNED_SHARE:
        raise DatasetError(
            f"{source}: expected upright cut-outs, p arm on top, got {turned:.0%} the other way up, as the network of "
            "--start sees them; turn them by 180 degrees"
        )
    return crops


def cut_out(source: Path, models: Path) -> tuple[CropSet, CropSet]:
    """Train and val crops of a set of cut-outs, as ``crops_of_cutouts`` makes them. ``DatasetError`` if its donors are
    too few for both."""
    train = crops_of_cutouts(source, "train", models)
    if "val" in splits_at(source):
        return train, crops_of_cutouts(source, "val", models)
    return _held_back(train, "donor", str(source))


def _held_back(crops: CropSet, what: Literal["donor", "case"], named: str) -> tuple[CropSet, CropSet]:
    """The train ``crops`` without those of some donors or cases, and these, to serve as val. ``DatasetError`` if there
    are fewer than two."""
    owners = np.unique(crops.case[(crops.case != DRAWN) & (crops.case != "")])
    _require_two(owners.tolist(), what, named)
    held = np.isin(crops.case, held_of(owners.tolist()))
    return crops.pick(~held), crops.pick(held)


def held_of(owners: Iterable[str]) -> list[str]:
    """The donors or cases of train that serve as val where a set has none: the same ones for every seed."""
    owners = sorted(set(owners))
    return [str(o) for o in np.random.default_rng(0).permutation(owners)[: max(1, int(VAL_DONORS * len(owners)))]]


def _by_name(there: Mapping[Path, Mapping[str, Collection[str]]]) -> str:
    """Words on sets with corrections, which state no splits: that a case's name decides, and with what result; else
    ""."""
    if not any(form_of(source) == "corrections" for source in there):
        return ""
    counts = [sum(len(owners.get(split, ())) for owners in there.values()) for split in ("train", "val", "test")]
    return " (a case's name says what it is for: {} to learn from, {} to choose by, {} to test on)".format(*counts)


def _require_two(owners: Iterable[str], what: Literal["donor", "case"], named: str, besides: str = "") -> None:
    """``DatasetError`` unless more than one of ``owners`` is known."""
    known = set(owners) - {""}
    if len(known) < 2:
        mend = (
            "state the donors, in the table or as folders, LABEL/DONOR/PICTURE"
            if what == "donor"
            else "add cells of another case"
        )
        raise DatasetError(
            f"{named}: expected a split val or more than one {what} to hold some back for it, got {len(known)}; "
            f"{mend}{besides}"
        )


def cut_frames(source: Path, split: str, models: Path, store: Path) -> CropSet:
    """The crops of a split of frames as the models cut them, kept in ``store`` for the next run."""
    locator = load_locator(models)
    path = kept_at(store, source, split, locator.models.values())
    return CropSet.kept(path, lambda: crops_of_frames(source, split, locator))


def stored_crops(run: Path) -> tuple[CropSet, CropSet]:
    """The train and val crops that a run learned from. ``DatasetError`` where they are not there."""
    train, val = (run / name for name in CROP_FILES)
    if not (train.is_file() and val.is_file()):
        raise DatasetError(
            f"{run}: expected the run folder of a finished 'trainer fit classifier' with {train.name} and {val.name}, "
            "found none; name such a folder"
        )
    return CropSet.load(train), CropSet.load(val)
