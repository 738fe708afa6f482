"""``chromo-edge case``: cases without the live page. Exit code 6 for whatever the store refuses or finds wrong."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import NOMINAL_UM_PER_PX, Debug, Models, Threads, UmPerPx, check_scale, given_path
from edge.config import user_name
from edge.errors import CapturedBefore, ConfigError, FrameError, StoreDamaged
from edge.text import one_line, printable

if TYPE_CHECKING:
    from edge.cases.store import CaseStore

app = typer.Typer(help="Cases: cells gathered, corrected, tallied, reported.", no_args_is_help=True)


class Form(StrEnum):
    PNG = "png"
    CSV = "csv"
    JSON = "json"
    OME_TIFF = "ome-tiff"
    CORRECTIONS = "corrections"


def _user() -> str:
    return user_name() or "technician"


def _named(by: str) -> str:
    from edge.cases.names import checked_actor

    return checked_actor(by)


Name = Annotated[str, typer.Argument(metavar="CASE", help="The case's name.")]
Store = Annotated[
    Path | None,
    typer.Option(
        "--cases",
        "--store",
        metavar="DIR",
        parser=given_path,
        help="Folder of the cases, as for run --cases (default: $CHROMO_CASES, else among your own data).",
    ),
]
By = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Your name, for the log.",
        default_factory=_user,
        show_default="the user",
        callback=_named,
    ),
]


def _open(store: Path | None, *, create: bool = False) -> CaseStore:
    """The store in ``store`` or the default folder. Raises ``StoreError`` where there is none, unless ``create``."""
    from edge.cases.store import CaseStore
    from edge.config import default_cases_dir

    return CaseStore(store if store is not None else default_cases_dir(), create=create)


@app.command("list")
def list_cases(store: Store = None, debug: Debug = False) -> None:
    """All cases, the newest first."""
    from rich.console import Console

    from edge.cases.tables import cases_table

    with _open(store) as opened:
        Console(markup=False).print(cases_table(opened))


@app.command()
def new(case: Name, by: By, store: Store = None, debug: Debug = False) -> None:
    """Open a case."""
    with _open(store, create=True) as opened:
        print(f"opened case {opened.new_case(case, by).name}")


@app.command()
def add(
    case: Name,
    frames: Annotated[
        list[Path], typer.Argument(metavar="FRAME", help="Frames and folders of frames.", parser=given_path)
    ],
    by: By,
    models: Models = None,
    um_per_px: UmPerPx = NOMINAL_UM_PER_PX,
    threads: Threads = 2,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """Label stored frames and add each as a cell.

    A field that is in the case already, in this picture or another, is skipped. A frame that cannot be read, or shows
    no chromosome, is reported, the others are added, and the exit code is 3.
    """
    from edge.camera.files import read_frame
    from edge.cases.adding import captured, listed
    from edge.cases.export import waiting
    from edge.pipeline import load_pipeline

    check_scale(um_per_px)
    with _open(store) as opened:
        opened.case(case)  # what is wrong is told before the work
        pipeline = load_pipeline(models, threads)
        failed = added = 0
        for path in listed(frames):
            try:
                if isinstance(path, FrameError):
                    raise path
                frame = read_frame(path, added, um_per_px)
                state = captured(opened, case, path, frame, pipeline, by)
            except FrameError as error:
                failed += 1
                print(f"error: {one_line(error)}", file=sys.stderr)
                continue
            except CapturedBefore as before:
                print(f"skipped {printable(frame.source)}: {before}")
                continue
            kept = state.captured
            added += 1
            print(f"cell {kept.number}: {kept.cell.frame}  {state.karyotype}  {waiting(state) or 0} to review")
            for other in opened.kept(kept.frame_sha256):
                if other.case != kept.case:
                    print(
                        f"warning: the same picture is cell {other.number} of {other.case}; see whose cell it is",
                        file=sys.stderr,
                    )
    if failed:
        raise typer.Exit(FrameError.exit_code)


@app.command()
def show(
    case: Name,
    cell: Annotated[int | None, typer.Option(min=1, metavar="N", help="One cell, chromosome by chromosome.")] = None,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """The tally of a case and its cells, or one cell's chromosomes."""
    from rich.console import Console

    from edge.cases.tables import print_case, print_cell

    console = Console(markup=False)  # a reason or a name may look like rich's own
    with _open(store) as opened:
        if cell is None:
            print_case(console, opened, case)
        else:
            print_cell(console, opened.cell_number(case, cell))


@app.command()
def edit(
    case: Name,
    cell: Annotated[int, typer.Argument(min=1, metavar="N", help="The cell's number.")],
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="EDIT...",
            help="relabel ID LABEL, flip ID, swap ID ID, mark ID whole|marker|derivative, exclude ID, restore ID, "
            "accept [ID...], set-aside REASON, take-back, undo or redo.",
        ),
    ],
    by: By,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """Correct a cell. Chromosomes are named by the ids that 'show --cell' prints.

    'accept' without an ID accepts all that wait for review, or the whole cell where nothing is uncertain.
    """
    from edge.cases.export import waiting
    from edge.cases.words import change_of_words

    with _open(store) as opened:
        state = opened.cell_number(case, cell)
        if words == ["undo"]:
            state = opened.undo(state.id, based_on=state.revision, actor=by)
        elif words == ["redo"]:
            state = opened.redo(state.id, based_on=state.revision, actor=by)
        else:
            state = opened.edit(state.id, change_of_words(words, state), based_on=state.revision, actor=by)
    print(f"cell {cell}: {state.karyotype}  {waiting(state) or 0} to review")


@app.command()
def export(
    case: Name,
    out: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write into; made if it is missing.", parser=given_path)
    ],
    by: By,
    forms: Annotated[
        list[Form] | None, typer.Option("--as", help="png, csv, json, ome-tiff, corrections (default: all of them).")
    ] = None,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """Write a case's pictures, tables, JSON, OME-TIFF and training data."""
    from edge.cases.files import write_case

    wanted = tuple(forms or Form)
    with _open(store) as opened:
        written = write_case(opened, case, out, tuple(form.value for form in wanted), by)
    print(f"{len(written.paths)} files in {printable(str(out))}")
    if written.left_out:
        print(f"corrections: {written.left_out} of {written.cells} cells left out, not yet reviewed or set aside")


@app.command()
def report(
    case: Name,
    out: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Replaced if it is there.", parser=given_path)],
    by: By,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """Write the PDF report: a summary, then a page for each cell."""
    from edge.cases.files import write_report

    with _open(store) as opened:
        head = write_report(opened, case, out, by)
    print(f"{printable(str(out))}  log head {head}")


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="A log head that an earlier report prints: the log must still hold it."),
    ] = None,
    store: Store = None,
    debug: Debug = False,
) -> None:
    """Prove that log, cells and pictures are as they were written. If not, say what is wrong; the exit code is 6."""
    if head is not None and not re.fullmatch("[0-9a-fA-F]{6,64}", head):
        raise ConfigError(f"--head: expected the hash that a report prints, or how it begins; got {head!r}")
    with _open(store) as opened:
        verdict = opened.verify(head)
    for fault in verdict.faults:
        print(f"error: {one_line(fault)}", file=sys.stderr)
    if verdict.faults:
        raise typer.Exit(StoreDamaged.exit_code)
    print(f"sound: {verdict.entries} entries, {verdict.cells} cells, {verdict.pictures} pictures; head {verdict.head}")


@app.command("log")
def print_log(case: Name, store: Store = None, debug: Debug = False) -> None:
    """Every act of a case in order: captures, edits, exports."""
    from edge.cases.tables import log_lines

    with _open(store) as opened:
        for line in log_lines(opened, case):
            print(line)
