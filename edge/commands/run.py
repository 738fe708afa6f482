"""``chromo-edge run``: live at the microscope.

It leaves with 0 after Ctrl-C, the ordinary way to end it.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import (
    NOMINAL_UM_PER_PX,
    USUAL_SIZE,
    Debug,
    Exposure,
    Gain,
    Models,
    Size,
    Source,
    Threads,
    UmPerPx,
    camera_settings,
    check_scale,
    given_path,
)
from edge.commands.outputs import check_apart, file_sinks
from edge.errors import CameraError

if TYPE_CHECKING:
    from rich.console import Console

    from edge.camera.base import Camera
    from edge.live.web.page import LivePage
    from edge.records import Cell, Frame
    from edge.sinks.base import Sink


def run(
    context: typer.Context,
    source: Source = None,
    camera: Annotated[
        bool, typer.Option("--camera", show_default=False, help="May stand before SOURCE, as in: --camera sim.")
    ] = True,
    frames: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N frames, skipping none.")] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", parser=given_path, help="One JSON line a frame, added to FILE; - is standard output."
        ),
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No live page: one plain line a frame.")] = False,
    host: Annotated[
        str, typer.Option(help="Address of the live page; any but this machine's own asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, show_default="8765, else a free one", help="Port of the live page.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="NAME", help="Case that captured cells go to (default: a new one a day).")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=given_path,
            help="Folder of the cases (default: $CHROMO_CASES, else among your own data).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which cells the simulated microscope shows.")] = 1,
    um_per_px: UmPerPx = NOMINAL_UM_PER_PX,
    exposure_us: Exposure = None,
    gain: Gain = None,
    size: Size = USUAL_SIZE,
    models: Models = None,
    threads: Threads = 2,
    delegate: Annotated[
        str, typer.Option(metavar="NAME", help="What the networks run on: cpu, edgetpu or gpu; falls back to cpu.")
    ] = "cpu",
    white: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=given_path, help="A picture of an empty field, to even out the light."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=given_path, help="Log of what happens, as JSON lines; it is rotated."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Label live: the newest frame of a camera, again and again. Ctrl-C ends it.

    A camera opens the live page in the browser and prints its address; stored frames fill a table in the terminal.
    The simulated microscope (sim) needs no hardware, knows its own truth and prints how the labels compare.
    """
    from rich.console import Console

    from edge.board.notify import Heartbeat
    from edge.camera import is_device, is_stored, open_camera
    from edge.camera.flatfield import FlatFieldCamera, read_flat_field
    from edge.config import default_cases_dir
    from edge.live.loop import run as run_loop
    from edge.logs import log_to
    from edge.pipeline import load_pipeline
    from edge.runtime.network import networks_on
    from edge.sinks.files import check_replaced
    from edge.sinks.terminal import TerminalSink
    from edge.sinks.truth import TruthSink

    check_scale(um_per_px)
    check_apart(jsonl, log)
    settings = camera_settings(um_per_px, exposure_us, gain, size)
    # The view leaves standard output alone where the JSON lines go there.
    console = Console(stderr=jsonl is not None and str(jsonl) == "-")
    asked = source
    stored = is_stored(source)
    # A program that counts frames or reads lines must hear of a full disk; whoever looks at the page goes on.
    looked_at = not headless and not stored and frames is None
    with ExitStack() as stack:
        if debug:
            logging.getLogger("edge.live.web").setLevel(logging.DEBUG)
        if log is not None:
            check_replaced(log, "a log of JSON lines", b"{")
            stack.callback(logging.getLogger("edge").removeHandler, log_to(log, lasting=looked_at))
        flat = read_flat_field(white) if white is not None else None

        def connect() -> Camera:
            nonlocal source
            found = open_camera(source, settings, seed=seed)
            source = source or found.name  # once one has answered it is waited for, not replaced by another one
            return FlatFieldCamera(found, flat) if flat is not None else found

        # A counted run is a program's: it must end, not wait for a camera.
        device = _opened(connect, returns=is_device(source), headless=headless, counted=frames is not None)
        stack.callback(lambda: device.close())
        truth_of = getattr(device, "truth_of", None)
        with networks_on(delegate):
            pipeline = load_pipeline(models, threads)
        # Nobody waits at a microscope for what is stored.
        label_frame: Callable[[Frame], Cell] = pipeline.label if stored else pipeline.label_live
        sinks = file_sinks(stack, jsonl=jsonl, append=True, lasting=looked_at)
        truth = TruthSink(truth_of) if truth_of is not None else None
        if truth is not None:
            sinks.append(truth)
        view: Sink
        if headless or stored:
            view = TerminalSink(console, live=not headless)
        else:
            from edge.live.web.page import LivePage

            view = page = LivePage(
                device,
                connect,
                pipeline,
                cases=cases or default_cases_dir(),
                case=case,
                host=host,
                port=port,
                source=asked,
                meant=_is_case_meant(context),
            )
            device, label_frame = page.camera, page.label
            _announce(page, case, console)
            page.open_browser()
        stack.callback(view.close)
        sinks.append(view)
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, signal.default_int_handler))
        beat = stack.enter_context(Heartbeat())
        try:
            run_loop(
                device,
                label_frame,
                sinks,
                every_frame=stored or frames is not None,
                max_frames=frames,
                watch=beat.watch,
            )
        except KeyboardInterrupt:
            pass  # the ordinary end of a live session
        finally:
            view.close()
            if truth is not None and truth.score.frames:
                console.print(truth.summary(), soft_wrap=True, highlight=False)


def _announce(page: LivePage, case: str | None, console: Console) -> None:
    """Prints where the page is, and the case that is open on it if that is not the ``case`` asked for."""
    from edge.cases.names import plain

    lines = [f"{lead} {at}" for lead, at in zip_longest(("live page:",), page.addresses, fillvalue="       or:")]
    if case is not None and plain(page.case) != plain(case):
        lines.append(f"case: {page.case}, the last one opened on the page; this run was given {case}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _is_case_meant(context: typer.Context) -> bool:
    """Whether --case is of this very start, by a person or a program: the words of a systemd unit and a settings
    file are the same at each start."""
    given = context.get_parameter_source("case")
    by_systemd = os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())
    return given is not None and given.name == "COMMANDLINE" and not by_systemd


def _opened(connect: Callable[[], Camera], *, returns: bool, headless: bool, counted: bool) -> Camera:
    """The camera that ``connect`` opens. One that ``returns`` when it is lost is waited for: by the page, or, without
    one, by ``ReturningCamera``. ``CameraError``: none answers, and nobody waits for it."""
    from edge.camera.returning import AbsentCamera, ReturningCamera

    try:
        device = connect()
    except CameraError as why:
        if headless or not returns or counted:
            raise
        return AbsentCamera(why)  # the page says so, and takes it when it comes
    return ReturningCamera(device, connect) if headless and returns else device
