"""``chromo-edge label``: stored frames to labelled cells.

It goes on after a frame that cannot be read and leaves with 3 (``FrameError``) at the end.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import NOMINAL_UM_PER_PX, Debug, Models, Threads, UmPerPx, check_scale, given_path
from edge.commands.outputs import check_folders, file_sinks
from edge.errors import FrameError
from edge.text import one_line

if TYPE_CHECKING:
    from rich.console import Console


def label(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Frames and folders of frames.", parser=given_path)
    ],
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", parser=given_path, help="One JSON line a frame. Replaces FILE; - is standard output."
        ),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=given_path, help="One picture a frame: the frame, outlined and labelled."),
    ] = None,
    karyogram: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=given_path, help="One picture a frame: the chromosomes in their places."),
    ] = None,
    models: Models = None,
    um_per_px: UmPerPx = NOMINAL_UM_PER_PX,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Label stored frames: PNG, JPEG, TIFF, WebP or BMP.

    A frame that cannot be read is reported, the others still come out, and the exit code is 3. Without --jsonl,
    --overlay and --karyogram each cell is printed as a line.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from edge.camera.files import list_frames, read_frame
    from edge.pipeline import load_pipeline
    from edge.sinks.terminal import TerminalSink

    check_scale(um_per_px)
    stderr = Console(stderr=True)
    frames: list[Path] = []
    failed = 0
    for path in paths:
        try:
            frames += list_frames(path)
        except FrameError as error:
            failed += 1
            _complain(error)
    total = len(frames) + failed

    if frames:
        check_folders(frames, overlay, karyogram)
        pipeline = load_pipeline(models, threads)
        with ExitStack() as stack:
            sinks = file_sinks(stack, jsonl=jsonl, overlay=overlay, karyogram=karyogram)
            columns = (TextColumn("labelling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            hidden = not (sinks and stderr.is_terminal)
            if not sinks:
                sinks = [TerminalSink(Console(), live=False)]
            progress = stack.enter_context(Progress(*columns, console=stderr, disable=hidden))
            for index, path in enumerate(progress.track(frames)):
                try:
                    frame = read_frame(path, index, um_per_px)
                    cell = pipeline.label(frame)
                except (FrameError, MemoryError) as error:
                    failed += 1
                    _complain(error if isinstance(error, FrameError) else f"{path}: not enough memory for it", stderr)
                    continue
                for sink in sinks:
                    sink.put(frame, cell)
    if failed:
        if total > 1:
            print(f"{failed} of {total} could not be read; {total - failed} labelled", file=sys.stderr)
        raise typer.Exit(FrameError.exit_code)


def _complain(what: object, console: Console | None = None) -> None:
    """One ``error:`` line on stderr, above the progress bar if ``console`` draws one."""
    line = f"error: {one_line(what)}"
    if console is not None and console.is_terminal:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr)
