"""``trainer data``: what a set holds, whether its splits are honest, what augmentation makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainer.commands.options import MODELS, Cutters, Debug, Json, Models, Split, Threads, Unlabelled

if TYPE_CHECKING:
    from rich.table import Table

data = typer.Typer(help="Look at labelled data before training on it.", no_args_is_help=True)

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Frames (images.csv and boxes.csv, Pascal VOC, COCO, corrected cells as JSONL, masks) "
        "or cut-outs (zip or folder with crops.csv, a folder a class).",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Decides which chromosomes are shown.")]

MOST_NAMED = 12
"""A split's cases are listed if there are no more than this."""
USE = {"train": "learned from", "val": "to choose by", "test": "held back to test on"}
"""What the cases of each split are for."""


@data.command()
def report(
    data: Data,
    json: Json = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Contact sheet as PNG: some chromosomes of each class.")
    ] = None,
    seed: Seed = 0,
    debug: Debug = False,
) -> None:
    """Counts per class and split, sizes, cases, files left out; decodes every picture."""
    from rich.console import Console

    from trainer.data.census import census, digests, examples
    from trainer.data.sources import read_all
    from trainer.files import require_place, write_figures, write_result
    from trainer.sheet import draw_sheet

    require_place(json, "--json")
    require_place(sheet, "--sheet")
    contents = read_all(data)
    figures = census(contents, digests(contents))
    console = Console()
    console.print(_table(figures))
    width, height = figures["size_px"]["width"], figures["size_px"]["height"]
    if width:
        console.print(
            f"median size {width['p50']:g} x {height['p50']:g} px; widths {width['p0']:g} to {width['p100']:g}"
        )
    if whose := _whose(figures):
        console.print(whose, markup=False, soft_wrap=True)
    if figures["edited"] is not None:
        console.print(f"{figures['edited']} chromosomes corrected by a person")
    for pair in figures["same_pictures"]:
        console.print(f"same picture in two splits: {_pair(pair)}", markup=False)
    for skipped in figures["skipped"]:
        console.print(f"left out: {skipped['file']}: {skipped['reason']}", markup=False, soft_wrap=True)
    if not figures["skipped"]:
        console.print("every picture could be read")
    write_figures(json, figures)
    if sheet is not None:
        write_result(sheet, draw_sheet(examples(contents, seed), tile_px=(64, 96), title_px=30), "--sheet")


@data.command()
def check(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="Sets, as for report.")], debug: Debug = False
) -> None:
    """See that no case or donor of a set, and no picture of all sets together, is in two splits; an error names the
    first that is, or a set of which nothing can be read.

    A warning tells of cases or donors of one name that are in different splits of two sets: they may be the same.
    """
    from trainer.data.census import census, digests, in_two_splits, owners
    from trainer.data.pictures import UNMARKED
    from trainer.data.sources import read_all
    from trainer.data.splits import warn_of_namesakes
    from trainer.errors import DatasetError

    seen, known_owners = [], {}
    for path in data:
        contents = read_all(path)
        if not contents.frames and not contents.cutouts:
            left_out = f"{len(contents.skipped)} left out"
            left_out += "".join(f", first {skipped.file}: {skipped.reason}" for skipped in contents.skipped[:1])
            raise DatasetError(f"{path}: expected labelled pictures, found none to learn from ({left_out})")
        known_owners[str(path)] = owners(contents)
        pictures = list(digests(contents))
        figures = census(contents, pictures)
        seen += [replace(picture, file=f"{path}: {picture.file}") for picture in pictures]
        for split, counts in figures["splits"].items():
            known = f"; no {'donor' if figures['form'] == 'classes' else 'case'} is stated" * (not counts["cases"])
            print(f"{path.name}, {split}: " + ", ".join(f"{n} {what}" for what, n in counts.items()) + known)
        if whose := _whose(figures):
            print(f"{path.name}, {whose}")
        if figures["skipped"]:
            unmarked = sum(skipped["reason"] == UNMARKED for skipped in figures["skipped"])
            also = f", {unmarked} of them for want of a mark" * bool(unmarked)
            print(f"{path.name}: {len(figures['skipped'])} file(s) left out{also}; trainer data report names them")
    warn_of_namesakes(known_owners)
    pairs = in_two_splits(seen)
    if pairs:
        raise DatasetError(
            f"{len(pairs)} picture(s) in more than one split, first {_pair(pairs[0])}; remove one of them"
        )


@data.command()
def preview(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The contact sheet, PNG.")],
    split: Split = "train",
    count: Annotated[int, typer.Option(min=1, max=40, help="Chromosomes, side by side.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Decides the chromosomes and what becomes of them.")] = 0,
    models: Cutters = MODELS,
    debug: Debug = False,
) -> None:
    """A contact sheet of augmented crops: as they are, each augmentation alone, then all together."""
    from trainer.files import require_place, write_result
    from trainer.preview import preview_rows
    from trainer.sheet import draw_sheet

    require_place(out, "--out")
    rows = preview_rows(data, split, models, count, seed)
    write_result(out, draw_sheet(rows, tile_px=(32, 128), title_px=110), "--out")
    print(f"{out}: {len(rows)} rows of {count} crops")


@data.command()
def label(
    frames: Unlabelled,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the set: unreviewed.jsonl and images/.")],
    models: Models = None,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Label cells that nobody has reviewed, for trainer fit to learn a new laboratory from.

    For learning alone: what is measured on it is how well the models agree with themselves.
    """
    from edge.pipeline import load_pipeline
    from trainer.commands.progress import tracked
    from trainer.data.unreviewed import PICTURES, label_unreviewed, labelled_in, pictures_in

    pictures = pictures_in(frames, out)
    label_unreviewed(frames, tracked(pictures, "cells"), load_pipeline(models, threads), out, out / PICTURES)
    print(f"{out}: {labelled_in(out)}")


def _table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    splits = figures["splits"]
    table = Table("class", title=f"{figures['name']} ({figures['form']})", title_justify="left")
    for split in splits:
        table.add_column(split, justify="right")
    table.add_column("length, px", justify="right")
    lengths = figures["length_px"]
    for label in next(iter(figures["counts"].values()), {}):
        spread = (
            f"{lengths[label]['p50']:g} ({lengths[label]['p5']:g} to {lengths[label]['p95']:g})"
            if label in lengths
            else "-"
        )
        table.add_row(label, *(str(figures["counts"][split][label]) for split in splits), spread)
    table.add_section()
    for what in next(iter(splits.values()), {}):
        table.add_row(what, *(str(counts[what]) for counts in splits.values()), "")
    return table


def _whose(figures: dict[str, Any]) -> str:
    """Lines on which cases or donors of a small set are for which use; "" for a large one, or where none is stated."""
    cases: dict[str, list[str]] = figures["cases"]
    if not any(cases.get(split) for split in USE) or max(map(len, cases.values())) > MOST_NAMED:
        return ""
    said = "; ".join(f"{use}: {', '.join(cases.get(split, ())) or 'none'}" for split, use in USE.items())
    return f"{said} (a case's name decides)" if figures["form"] == "corrections" else said


def _pair(pair: dict[str, str]) -> str:
    return " and ".join(f"{name} ({split})" for split, name in pair.items())
