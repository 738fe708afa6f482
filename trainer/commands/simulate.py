"""``trainer simulate``: whole metaphases of real lone chromosomes, with exact masks."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Debug
from trainer.commands.progress import tracked

SHEET_CELLS = 4


def simulate(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Metaphases with boxes, in any form.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for annotations/SPLIT.json (COCO) and images/.")],
    split: Annotated[
        str, typer.Option(help="train, val or test: chromosomes and grounds are of its cases alone.")
    ] = "val",
    cells: Annotated[int, typer.Option(min=1, metavar="N", help="Metaphases, 46 chromosomes each.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Decides every random choice.")] = 0,
    crossing: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="Laid across another; about as many touch one.")
    ] = 0.15,
    karyotype: Annotated[
        list[str] | None,
        typer.Option(metavar="ISCN", help="Of the cells, in turn, as 47,XY,+21; may be several; else normal ones."),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Contact sheet as PNG: some, with and without outlines.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Put metaphases together from chromosomes that lie alone in real ones, with the exact mask of each.

    For trainer evaluate masks: people's boxes do not tell whose a pixel is where chromosomes touch or cross.
    """
    from edge.camera.metaphase import chromosomes_of
    from trainer.data.metaphase import read_frames
    from trainer.files import require_place, write_result
    from trainer.sheet import draw_sheet
    from trainer.simulate.compose import bases_of, composites, gather
    from trainer.simulate.store import TILE_PX, sheet_rows, store

    require_place(sheet, "--sheet")
    for stated in karyotype or ():
        chromosomes_of(stated)  # refused now, and not in the middle
    donors = gather(read_frames(data, split), seed)
    made = composites(tracked(bases_of(donors, cells, seed), "cells"), donors, crossing, seed, karyotype or ())
    first = list(islice(made, SHEET_CELLS))
    stored = store(chain(first, made), out, split)
    if sheet is not None:
        write_result(sheet, draw_sheet(sheet_rows(first), TILE_PX, title_px=60), "--sheet")
    print(
        f"{stored.table}: {stored.cells} cells, {stored.chromosomes} chromosomes, "
        f"{stored.crossing} of them cross another"
    )
