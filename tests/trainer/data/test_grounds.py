"""Cut-outs that other programs painted around or padded are the crops that they were before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records import LABELS, UInt8Array
from tests.trainer.drawn import cutout
from trainer.data.cropset import UNKNOWN, UP, crops_of_cutouts
from trainer.data.grounds import ways_to_read
from trainer.data.labelled import LabelledCell, labelled_cells

TINY = Path(__file__).parents[2] / "edge" / "tiny"
Change = Callable[[UInt8Array], UInt8Array]


def faded(label: str, seed: int) -> UInt8Array:
    """A cut-out whose rim is as soft as a microscope's."""
    sharp = np.pad(cutout(label, np.random.default_rng(seed)), 3, constant_values=255)
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), 1.2))


def painted(level: int, ground: int = 255) -> Change:
    """With its ground, of this grey level, in another."""
    return lambda picture: np.where(np.abs(picture.astype(int) - ground) < 8, level, picture).astype(np.uint8)


def padded(level: int) -> Change:
    def square(picture: UInt8Array) -> UInt8Array:
        aside = (max(picture.shape) - picture.shape[1]) // 2 + 4
        return np.asarray(cv2.copyMakeBorder(picture, 4, 4, aside, aside, cv2.BORDER_CONSTANT, value=level))

    return square


def within(picture: UInt8Array, ground: int, level: int) -> UInt8Array:
    """Cut inside the rim and laid on another level."""
    stained = (np.abs(picture.astype(int) - ground) > 60).astype(np.uint8)
    return np.where(cv2.erode(stained, np.ones((3, 3))) > 0, picture, level).astype(np.uint8)


def stored(folder: Path, change: Change) -> Path:
    """A cell of one donor, each picture changed."""
    rows = ["file,label,cell,donor,split"]
    folder.mkdir()
    for number, label in enumerate(LABELS):
        cv2.imwrite(str(folder / f"{label}.png"), change(faded(label, number)))
        rows.append(f"{label}.png,{label},c,d,train")
    (folder / "crops.csv").write_text("\n".join(rows) + "\n")
    return folder


def negative(picture: UInt8Array) -> UInt8Array:
    return 255 - picture


def photographed(picture: UInt8Array) -> UInt8Array:
    """On a ground that is not white."""
    return np.asarray(picture * (210 / 255), np.uint8)


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (painted(0), UP),
        (padded(0), UP),
        (padded(255), UP),
        (lambda p: padded(0)(photographed(p)), UP),
        (lambda p: padded(255)(photographed(p)), UP),
        (lambda p: padded(0)(painted(0)(p)), UP),
        (lambda p: painted(255, ground=0)(negative(p)), UNKNOWN),
        (lambda p: padded(255)(negative(p)), UNKNOWN),
    ],
)
def test_paint_and_padding_change_no_crop(tmp_path: Path, change: Change, end: int) -> None:
    plain = crops_of_cutouts(stored(tmp_path / "plain", lambda picture: picture), "train", TINY)
    source = stored(tmp_path / "changed", change)
    crops = crops_of_cutouts(source, "train", TINY)
    assert set(crops.polarity) == {end}
    apart = np.abs(crops.pixels.astype(int) - plain.pixels)
    assert apart[plain.pixels > 0].mean() < 16
    (cell,) = labelled_cells(source, "train", TINY)
    np.testing.assert_array_equal([crop.pixels for crop in cell.crops], crops.pixels)
    assert cell.p_arm_up == (end == UP)


@pytest.mark.filterwarnings("ignore::trainer.data.crops.UnsplitWarning")
def test_a_folder_a_class_may_hold_two_stains(tmp_path: Path) -> None:
    for number, label in enumerate(LABELS):
        for name, picture in (("a", faded(label, number)), ("b", negative(faded(label, number)))):
            (tmp_path / label).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / label / f"{name}.png"), picture)
    crops = crops_of_cutouts(tmp_path, "train", TINY)
    dark, bright = (crops.pick(crops.polarity == end) for end in (UP, UNKNOWN))
    assert dark.label.tolist() == bright.label.tolist() == list(range(len(LABELS)))
    np.testing.assert_array_equal(dark.pixels, bright.pixels)
    judged = list(labelled_cells(tmp_path, "train", TINY))
    assert [(cell.cell, cell.p_arm_up, len(cell.crops)) for cell in judged] == [("", True, 24), ("", False, 24)]


@pytest.mark.parametrize(("ground", "other"), [(255, 0), (0, 255)])
def test_without_rims_the_classifier_says_which_stain_it_is(
    tmp_path: Path, models_dir: Path, ground: int, other: int
) -> None:
    """Both ways the very same crops; the classifier that ships has seen drawn chromosomes, dark ones as negatives."""

    def read_on(level: int) -> LabelledCell:
        change = negative if ground == 0 else np.copy
        source = stored(tmp_path / str(level), lambda picture: within(change(picture), ground, level))
        (cell,) = labelled_cells(source, "train", models_dir)
        learned = crops_of_cutouts(source, "train", models_dir)
        np.testing.assert_array_equal([crop.pixels for crop in cell.crops], learned.pixels)
        return cell

    own, painted_over = read_on(ground), read_on(other)
    apart = np.subtract([c.pixels for c in own.crops], [c.pixels for c in painted_over.crops], dtype=int)
    assert np.abs(apart).mean() < 1
    assert own.p_arm_up == painted_over.p_arm_up == (ground == 255)


@pytest.mark.parametrize("change", [lambda picture: picture, negative, photographed])
def test_what_lies_on_its_own_ground_stays_as_it_is(change: Change) -> None:
    pictures = [change(faded(label, number)) for number, label in enumerate(LABELS)]
    for mended, picture in zip(ways_to_read(pictures)[0], pictures, strict=True):
        np.testing.assert_array_equal(mended, picture)


def test_pictures_of_one_level_are_left_alone() -> None:
    flat = [np.full((20, 8), level, np.uint8) for level in (0, 128, 255)]
    for picture in flat:
        np.testing.assert_array_equal(ways_to_read([picture])[0][0], picture)
