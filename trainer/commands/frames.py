"""``trainer evaluate frames``: what is measured on whole metaphases, and pictures of the worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.errors import ConfigError
from trainer.commands.evaluate import print_figures, shown
from trainer.commands.options import Debug, FrameFolder, Json, Models, Seed, Split, Threads
from trainer.commands.progress import tracked

WORST_ROWS = 10


def frames(
    data: FrameFolder,
    split: Split = "test",
    models: Models = None,
    json: Json = None,
    jsonl: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one JSON line a frame.")] = None,
    lines: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Score these JSON lines; run no model.", show_default=False)
    ] = None,
    live: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="LOOKS", help="As the live page shows them after so many looks.", show_default=False
        ),
    ] = None,
    worst: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A picture of each frame that needs most corrections.", show_default=False),
    ] = None,
    worst_count: Annotated[int, typer.Option(min=1, metavar="N", help="How many pictures at most.")] = 12,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only N frames, drawn with --seed.")] = None,
    seed: Seed = 0,
    boxes: Annotated[bool, typer.Option(help="Also label the ground-truth boxes themselves.")] = True,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Located, labelled and counted: the measures over a split of metaphase frames.

    Also by how crowded the true boxes are (alone, touching, crossing), by class, by karyotype and by frame.
    """
    from edge.sinks.files import writable_folder
    from trainer.data.metaphase import read_frames
    from trainer.files import require_place, write_figures
    from trainer.score.evaluate import box_figures, box_labeller, frame_figures, label_frames, sample_frames
    from trainer.score.karyotypes import by_karyotype
    from trainer.score.kinds import detail_figures
    from trainer.score.lines import read_lines
    from trainer.score.outcomes import outcomes_of, worst_first

    if lines is not None and (jsonl is not None or live is not None):
        raise ConfigError("--lines scores lines that are there; --jsonl and --live are for new ones: leave them out")
    require_place(json, "--json")
    truths = sample_frames(read_frames(data, split), limit, seed)
    if worst is not None:
        writable_folder(worst)
    if lines is not None:
        labelled = read_lines(lines)
    else:
        labelled = label_frames(
            tracked(truths, "labelling"), models, threads, jsonl, looks=live or 0, outlines=worst is not None
        )
    figures = frame_figures(labelled, truths)
    if lines is None and boxes:
        figures |= box_figures(tracked(truths, "true boxes"), box_labeller(models, threads))
    outcomes = worst_first(outcomes_of(labelled, truths))
    karyotypes = {name: asdict(told) for name, told in by_karyotype(labelled, truths).items()}
    details = {**detail_figures(outcomes), "by_karyotype": karyotypes}
    print_figures(figures, f"{data.name}, {split}: {figures['frames']} frames of {figures['cases']} cases")
    _print_rows("kind", details["by_kind"].items(), "by likely kind of the true boxes")
    _print_rows("class", details["per_class"].items(), "by class")
    _print_rows("karyotype", karyotypes.items(), "numerical findings, by what the true boxes claim")
    rows = [(row["image"], row) for row in details["per_frame"][:WORST_ROWS]]
    _print_rows("frame", rows, f"the {len(rows)} worst frames", without=("image", "case"))
    write_figures(json, figures | details)
    if worst is not None:
        from trainer.score.worst import write_worst

        typer.echo(f"{write_worst(outcomes, worst, worst_count)} pictures in {worst}")


def _print_rows(
    head: str, rows: Iterable[tuple[str, Mapping[str, Any]]], title: str, without: tuple[str, ...] = ()
) -> None:
    """A table on standard output, a row for each name, a column for each figure; nothing where there is no row."""
    from rich.console import Console
    from rich.table import Table

    table = Table(head, title=title, title_justify="left")
    for name, figures in rows:
        kept = {key: value for key, value in figures.items() if key not in without}
        if not table.rows:
            for key in kept:
                table.add_column(key, justify="right")
        table.add_row(name, *(shown(value) for value in kept.values()))
    if table.rows:
        Console().print(table)
