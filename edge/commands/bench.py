"""``chromo-edge bench``: how fast this board is, part by part."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.options import Debug, Models, Threads, given_path
from edge.errors import SinkError

_REFERENCES = Path(__file__).resolve().parents[2] / "tools" / "bench_reference"


def bench(
    frames: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            parser=given_path,
            help="Frames and folders of frames (default: drawn cells).",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=given_path, help="Write the figures as JSON; - is standard output."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="How many frames.")] = 10,
    repeats: Annotated[int, typer.Option(min=1, help="How often each frame is labelled.")] = 3,
    threads: Threads = 2,
    models: Models = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            parser=given_path,
            help="Measure these models too, e.g. the float32 build. Repeatable.",
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure how fast this board is: the whole frame, each stage, each model, a start from nothing, and the memory.

    In a checkout the figures stand beside those of other machines (tools/bench_reference).
    """
    from rich.console import Console

    from edge.board.bench import drawn_frames, run_bench
    from edge.board.table import read_references, show
    from edge.camera.files import list_frames, read_frame
    from edge.pipeline import load_pipeline
    from edge.sinks.files import check_replaced, writable_folder, write_bytes

    to_stdout = json is not None and str(json) == "-"
    if to_stdout and sys.stdout is None:
        raise SinkError("cannot write standard output: it is closed; name a file with --json")
    if json is not None and not to_stdout:
        check_replaced(json, "JSON", b"{", b"[")
    folders = (models, *(against or []))
    found = [frame for path in frames or () for frame in list_frames(path)][:count]
    shown = [read_frame(path, index) for index, path in enumerate(found)]
    for folder in folders:
        load_pipeline(folder, threads)  # what is wrong is told before the work
    if json is not None and not json.exists() and not to_stdout:
        writable_folder(json.parent)
    shown = shown or drawn_frames(count)
    stderr = Console(stderr=True)
    done: dict[str, dict[str, Any]] = {}
    with stderr.status("") as status:
        for folder in folders:
            title = "now" if not done else str(folder)
            done[title] = run_bench(
                shown,
                folder,
                threads=threads,
                repeats=repeats,
                progress=lambda step, title=title: status.update(f"{title}: {step}"),  # type: ignore[misc]
            ).to_json()
    show(stderr if to_stdout else Console(), done | read_references(_REFERENCES))
    if json is not None:
        text = jsonlib.dumps(done["now"], indent=1)
        if to_stdout:
            sys.stdout.write(text + "\n")
        else:
            write_bytes(json, text.encode() + b"\n")
