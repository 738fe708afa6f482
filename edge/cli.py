"""The command line, ``chromo-edge``.

Failures are told as in ``edge.command``. Two exit codes are the commands' own: ``label`` goes on after a frame that
cannot be read and leaves with 3 (``FrameError``) at the end; ``run`` leaves with 0 after Ctrl-C, the ordinary way to
end it.

Whatever is slow to import is imported in the command that needs it: ``--help`` must not wait for a network.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cases.cli import app as case_app
from edge.command import one_line, run_app
from edge.commands.bench import bench
from edge.commands.calibrate import calibrate
from edge.commands.doctor import doctor
from edge.commands.models import models as models_commands
from edge.commands.service import install_service
from edge.config import find_config, read_config
from edge.errors import CameraError, ConfigError, FrameError

if TYPE_CHECKING:
    from rich.console import Console

    from edge.camera.base import Camera
    from edge.records import Cell, Frame
    from edge.sinks.base import Sink

NOMINAL_UM_PER_PX = 0.065
"""As in ``edge.records``, which would import numpy."""

app = typer.Typer(
    help="A label on every chromosome of a metaphase: live at the microscope, or over stored frames.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(case_app, name="case")

Models = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that holds the models, locator/ and so on (default: the models shipped)."),
]
UmPerPx = Annotated[
    float, typer.Option("--um-per-px", help="Scale of the frames, micrometres a pixel; other than 0.065 it is trusted.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads that a network may use.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"chromo-edge {version('chromo-edge')}")
        raise typer.Exit


app.command()(bench)
app.command()(calibrate)
app.command()(doctor)
app.command()(install_service)
app.add_typer(models_commands, name="models")


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings in TOML, a table a command (default: ./chromo-edge.toml)."),
    ] = None,
) -> None:
    path = find_config(config)
    if path is not None:
        commands = getattr(context.command, "commands")  # noqa: B009  a group, by construction
        options = {name: {str(p.name): p for p in command.params} for name, command in commands.items()}
        context.default_map = read_config(path, options, context)


@app.command()
def label(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Frames and folders of frames.")],
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One JSON line a frame. Replaces FILE; - is standard output.")
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One picture a frame: the frame, outlined and labelled.")
    ] = None,
    karyogram: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One picture a frame: the chromosomes in their places.")
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

    _check_scale(um_per_px)
    stderr = Console(stderr=True)
    frames: list[Path] = []
    failed = 0
    for path in paths:
        try:
            frames += list_frames([path])
        except FrameError as error:
            failed += 1
            _complain(error)
    total = len(frames) + failed

    if frames:
        pipeline = load_pipeline(models, threads)
        with ExitStack() as stack:
            sinks = _file_sinks(stack, jsonl=jsonl, overlay=overlay, karyogram=karyogram)
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


@app.command()
def run(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="sim, picamera2, /dev/video0, csi, genicam, a folder, a video (default: the first that answers).",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        bool, typer.Option("--camera", show_default=False, help="Reads well before SOURCE: --camera sim.")
    ] = True,
    frames: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after N frames, skipping none.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One JSON line a frame, added to FILE; - is standard output.")
    ] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No live page: one plain line a frame.")] = False,
    host: Annotated[
        str, typer.Option(help="Where the live page is served; other than this machine alone it asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, show_default="8765, else a free one", help="Port of the live page.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="NAME", help="Case that captured cells go to (default: a new one a day).")
    ] = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where cases are kept (default: with your own data).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which cells the simulated microscope shows.")] = 1,
    um_per_px: UmPerPx = NOMINAL_UM_PER_PX,
    exposure_us: Annotated[int | None, typer.Option(min=1, help="Exposure time in microseconds.")] = None,
    gain: Annotated[float | None, typer.Option(help="Analogue gain of the sensor.")] = None,
    models: Models = None,
    threads: Threads = 2,
    delegate: Annotated[
        str, typer.Option(metavar="NAME", help="What the networks run on: cpu, edgetpu or gpu; falls back to cpu.")
    ] = "cpu",
    white: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture of an empty field, to even out the light.")
    ] = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="What happens, as JSON lines; rotates.")] = None,
    debug: Debug = False,
) -> None:
    """Label live: the newest frame of a camera, again and again. Ctrl-C ends it.

    A camera opens the live page in the browser and prints its address; stored frames fill a table in the terminal.
    The simulated microscope (sim) needs no hardware, knows its own truth and prints how the labels compare.
    """
    from rich.console import Console

    from edge.board.notify import Heartbeat
    from edge.camera import is_device, open_camera
    from edge.camera.flatfield import FlatFieldCamera, read_flat_field
    from edge.camera.returning import AbsentCamera, ReturningCamera
    from edge.config import default_cases_dir
    from edge.live.loop import run as run_loop
    from edge.logs import log_to
    from edge.pipeline import load_pipeline
    from edge.runtime.network import networks_on
    from edge.sinks.terminal import TerminalSink
    from edge.sinks.truth import TruthSink

    _check_scale(um_per_px)
    # The view leaves standard output alone where the JSON lines go there.
    console = Console(stderr=jsonl is not None and str(jsonl) == "-")
    stored = source is not None and (Path(source).is_dir() or Path(source).is_file())
    with ExitStack() as stack:
        if debug:
            logging.getLogger("edge.live.web").setLevel(logging.DEBUG)
        if log is not None:
            stack.callback(logging.getLogger("edge").removeHandler, log_to(log))
        flat = read_flat_field(white) if white is not None else None

        returns = is_device(source)

        def connect() -> Camera:
            nonlocal source
            found = open_camera(source, um_per_px=um_per_px, exposure_us=exposure_us, gain=gain, seed=seed)
            source = source or found.name  # once one has answered it is waited for, not replaced by another one
            return FlatFieldCamera(found, flat) if flat is not None else found

        device: Camera
        try:
            device = connect()
        except CameraError as why:
            if headless or not returns:
                raise
            device = AbsentCamera(why)  # the page says so, and takes it when it comes
        if headless and returns:
            device = ReturningCamera(device, connect)
        stack.callback(lambda: device.close())
        truth_of = getattr(device, "truth_of", None)
        with networks_on(delegate):
            pipeline = load_pipeline(models, threads)
        label_frame: Callable[[Frame], Cell] = pipeline.label
        sinks = _file_sinks(stack, jsonl=jsonl, append=True)
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
                pipeline.label,
                classify=pipeline.classify,
                cases=cases or default_cases_dir(),
                case=case or time.strftime("%Y-%m-%d"),
                host=host,
                port=port,
            )
            device, label_frame = page.camera, page.label
            for lead, address in zip_longest(("live page:",), page.addresses, fillvalue="       or:"):
                console.print(f"{lead} {address}", soft_wrap=True, highlight=False)
            page.open_browser()
        stack.callback(view.close)
        sinks.append(view)
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, signal.default_int_handler))
        beat = stack.enter_context(Heartbeat())
        try:
            run_loop(
                device, beat.watch(label_frame), sinks, every_frame=stored or frames is not None, max_frames=frames
            )
        except KeyboardInterrupt:
            pass  # the ordinary end of a live session
        finally:
            view.close()
            if truth is not None:
                console.print(truth.summary(), soft_wrap=True, highlight=False)


def _file_sinks(
    stack: ExitStack,
    *,
    jsonl: Path | None = None,
    overlay: Path | None = None,
    karyogram: Path | None = None,
    append: bool = False,
) -> list[Sink]:
    """The sinks asked for, each proven writable now, before the first frame; closed with ``stack``."""
    from edge.sinks.jsonl import JsonlSink
    from edge.sinks.pictures import karyogram_sink, overlay_sink

    wanted: list[Callable[[], Sink]] = []
    if overlay is not None:
        wanted.append(lambda: overlay_sink(overlay))
    if karyogram is not None:
        wanted.append(lambda: karyogram_sink(karyogram))
    if jsonl is not None:  # last: it replaces an earlier file, so all else must be sound by then
        wanted.append(lambda: JsonlSink(jsonl, append=append))
    sinks: list[Sink] = []
    for make in wanted:
        sink = make()
        stack.callback(sink.close)
        sinks.append(sink)
    return sinks


def _check_scale(um_per_px: float) -> None:
    if not 0.001 < um_per_px < 10:
        raise ConfigError(f"--um-per-px must be between 0.001 and 10 micrometres a pixel; got {um_per_px}")


def _complain(what: object, console: Console | None = None) -> None:
    """One ``error:`` line on stderr, above the progress bar if ``console`` draws one."""
    line = f"error: {one_line(what)}"
    if console is not None and console.is_terminal:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    else:
        print(line, file=sys.stderr)


def _spelled_apart(argv: Sequence[str]) -> list[str]:
    """``--camera=sim`` as ``--camera sim``: typer has no option with an optional value."""
    return [part for word in argv for part in (word.split("=", 1) if word.startswith("--camera=") else [word])]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit code; ``argv`` without the program's name."""
    logging.basicConfig(format="warning: %(message)s", level=logging.WARNING)
    return run_app(app, "chromo-edge", _spelled_apart(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
