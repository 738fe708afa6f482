"""What this board has, what is missing, and how to put it right. Nothing is changed, and no camera is disturbed
unless it is named."""

from __future__ import annotations

import grp
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from edge.board import host
from edge.disk import disk_fault
from edge.errors import ChromoError, ModelError

State = Literal["ok", "warning", "fail"]

CORAL_USB = {("1a6e", "089a"), ("18d1", "9302")}
"""Vendor and product of a Coral before and after its first use (Coral documentation)."""
BUILT_YEAR = 2025
LEAST_DISK_MB, TIGHT_DISK_MB = 100, 1000
LEAST_MEMORY_MB, TIGHT_MEMORY_MB = 150, 300
WARM_C, HOT_C = 75, 85
"""A Raspberry Pi slows down from 80 to 85 degrees (Raspberry Pi documentation)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """``said`` what was found, ``mend`` what to do; empty where nothing is to be done."""

    name: str
    state: State
    said: str
    mend: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def examine(models_dir: Path | None, camera: str | None, delegate: str | None = None) -> tuple[Check, ...]:
    """All checks in a fixed order. ``camera``: a source to open and read one frame from; ``delegate``: an accelerator
    to compute on, in a child process; None: only look."""
    from functools import partial

    parts: tuple[Callable[[], tuple[Check, ...]], ...] = (
        _python,
        _runtime,
        partial(_models, models_dir),
        _cameras if camera is None else partial(_opened, camera),
        _groups,
        _accelerators,
        *(() if delegate is None else (partial(_computed, delegate, models_dir),)),
        _disk,
        _memory,
        _heat,
        _clock,
    )
    return tuple(check for part in parts for check in part())


def _python() -> tuple[Check, ...]:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return (Check("python", "ok", found),)
    return (Check("python", "fail", found, "install Python 3.11, 3.12 or 3.13"),)


def _runtime() -> tuple[Check, ...]:
    from edge.runtime.interpreter import runtime_name

    try:
        name = runtime_name()
    except ChromoError as error:
        return (Check("runtime", "fail", str(error), "pip install ai-edge-litert"),)
    slow = "tflite-runtime is 2 to 13 times slower than LiteRT: pip install ai-edge-litert"
    return (Check("runtime", "warning", name, slow) if name.startswith("tflite") else Check("runtime", "ok", name),)


def _models(models_dir: Path | None) -> tuple[Check, ...]:
    from edge.board.model_store import list_models
    from edge.config import default_models_dir

    folder = models_dir or default_models_dir()
    mend = "chromo-edge models rollback, or install them again: chromo-edge models install FOLDER"
    return tuple(
        Check(one.role, "fail", one.trouble, mend)
        if one.trouble
        else Check(one.role, "ok", f"{one.name}, {one.model_id[:19]}, as its bundle says")
        for one in list_models(folder)
    )


def _cameras() -> tuple[Check, ...]:
    from edge.camera.nodes import receivers, video_nodes

    nodes = video_nodes(host.ROOT)
    if not nodes and receivers(host.ROOT):
        return (Check("camera", "ok", "one at the CSI port (one frame: chromo-edge doctor --camera picamera2)"),)
    if not nodes:
        mend = "plug one in; Raspberry Pi: rpicam-hello --list-cameras; without one: --camera sim"
        return (Check("camera", "warning", "no /dev/video device of a camera", mend),)
    closed = [path for path in nodes if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        said = f"no permission for {', '.join(map(str, closed))}"
        return (Check("camera", "fail", said, "sudo usermod -aG video $USER, then log in again"),)
    return (Check("camera", "ok", f"{', '.join(map(str, nodes))} (one frame: chromo-edge doctor --camera SOURCE)"),)


def _opened(source: str) -> tuple[Check, ...]:
    from edge.camera import open_camera

    started_s = time.monotonic()
    try:
        camera = open_camera(source)
        try:
            frame = next(iter(camera.frames()))
        finally:
            camera.close()
    except ChromoError as error:
        said, _, mend = str(error).rpartition("; ")
        return (Check("camera", "fail", said or mend, mend),)
    except StopIteration:
        return (Check("camera", "fail", f"{source} gives no frame", "name another source"),)
    height, width = frame.pixels.shape
    said = f"{source}: {width} x {height} px after {time.monotonic() - started_s:.1f} s"
    low, high = int(frame.pixels.min()), int(frame.pixels.max())
    if high - low < 30:
        mend = "switch the lamp on, open the shutter, change the exposure"
        return (Check("camera", "warning", f"{said}, grey {low} to {high} only", mend),)
    return (Check("camera", "ok", said),)


def _groups() -> tuple[Check, ...]:
    if os.geteuid() == 0:
        return (Check("groups", "ok", "root"),)
    mine = {grp.getgrgid(gid).gr_name for gid in os.getgroups() if _known(gid)}
    missing = [name for name in ("video", "plugdev") if name not in mine and _exists(name)]
    if missing:
        mend = f"sudo usermod -aG {','.join(missing)} $USER, then log in again"
        return (Check("groups", "warning", f"not in {', '.join(missing)}: cameras, Coral", mend),)
    return (Check("groups", "ok", ", ".join(sorted(mine & {"video", "plugdev"})) or "none needed"),)


def _known(gid: int) -> bool:
    try:
        grp.getgrgid(gid)
    except KeyError:
        return False
    return True


def _exists(group: str) -> bool:
    return any(entry.gr_name == group for entry in grp.getgrall())


def _accelerators() -> tuple[Check, ...]:
    from edge.runtime.delegate import MENDS

    checks = []
    plugged = _coral()
    library = _library("libedgetpu.so.1")
    if plugged and library:
        said = f"{plugged}, {library} (one picture: chromo-edge doctor --delegate edgetpu)"
        checks.append(Check("edgetpu", "ok", said))
    elif plugged:
        checks.append(Check("edgetpu", "warning", f"{plugged}, but no libedgetpu.so.1", MENDS["edgetpu"]))
    else:
        checks.append(Check("edgetpu", "ok", "none; --delegate cpu"))
    try:
        import onnxruntime
    except ImportError:
        return tuple(checks)
    checks.append(Check("onnxruntime", "ok", f"{onnxruntime.__version__}: {', '.join(_providers(onnxruntime))}"))
    return tuple(checks)


def _computed(delegate: str, models_dir: Path | None) -> tuple[Check, ...]:
    """One picture through the classifier, as ``run --delegate`` would. Not without being asked: another process that
    has the device open would lose it."""
    import numpy as np

    from edge.config import default_models_dir
    from edge.runtime.bundle import load_bundle
    from edge.runtime.delegate import mend
    from edge.runtime.guarded import GuardedNetwork
    from edge.runtime.network import networks_on, open_network

    name = f"{delegate} at work"
    try:
        with networks_on(delegate):
            bundle = load_bundle((models_dir or default_models_dir()) / "classifier", "classifier")
            network = open_network(bundle, 1)
    except ModelError as error:
        return (Check(name, "fail", str(error), "mend the classifier first"),)
    if not isinstance(network, GuardedNetwork):
        return (Check(name, "ok", "the CPU needs no trial"),)
    suffix = bundle.model_path.suffix
    if delegate == "gpu" and suffix == ".onnx":
        _log.warning("gpu: waiting, %g min at most: the first start builds TensorRT's engines", network.start_s / 60)
    while not network.accelerated and not network.failed:  # as it has when it is not ready in its own time
        network.run_uint8(np.zeros(network.input_shape, np.uint8))
        time.sleep(0.05)
    works, said, note, left_out = network.accelerated, network.status, network.note, network.left_out
    network.close()
    if works and note:
        return (Check(name, "warning", said, "it computes; with that mended it would be faster"),)
    if works:
        return (Check(name, "ok", said),)
    said, _, what = said.rpartition("; ") if left_out else (said.removesuffix(f"; {mend(delegate, suffix)}"), "", "")
    return (Check(name, "fail", said, what or mend(delegate, suffix)),)


def _providers(onnxruntime: object) -> list[str]:
    return [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]  # type: ignore[attr-defined]


def _coral() -> str:
    """Where an Edge TPU is, or nothing."""
    if any((host.ROOT / "dev").glob("apex_*")):
        return "PCIe Coral"
    for device in (host.ROOT / "sys/bus/usb/devices").glob("*"):
        try:
            found = tuple((device / name).read_text().strip() for name in ("idVendor", "idProduct"))
        except OSError:
            continue
        if found in CORAL_USB:
            return f"USB Coral at {device.name}"
    return ""


def _library(name: str) -> str:
    patterns = (f"usr/lib/{name}", f"usr/lib/*-linux-gnu*/{name}", f"usr/local/lib/{name}")
    found = (path for pattern in patterns for path in host.ROOT.glob(pattern))
    return str(next(found, ""))


def _disk() -> tuple[Check, ...]:
    from edge.config import default_cases_dir

    cases = default_cases_dir().absolute()
    try:
        there = next(folder for folder in (cases, *cases.parents) if folder.is_dir())
    except OSError as error:  # a folder above that this user may not look into
        mend = "give yourself the right to it and the folders above, or name another with $CHROMO_CASES"
        return (Check("disk", "fail", f"cases in {cases}: {error.strerror}", mend),)
    if fault := disk_fault(cases):
        return (Check("disk", "fail", fault.said, fault.mend),)
    free_mb = shutil.disk_usage(there).free / 2**20
    said = f"{free_mb / 1024:.1f} GB free for cases in {cases}"
    mend = "delete or move old results: df -h, du -sh *"
    state: State = "fail" if free_mb < LEAST_DISK_MB else "warning" if free_mb < TIGHT_DISK_MB else "ok"
    return (Check("disk", state, said, "" if state == "ok" else mend),)


def _memory() -> tuple[Check, ...]:
    free_mb, all_mb = host.meminfo_mb("MemAvailable"), host.meminfo_mb("MemTotal")
    said = f"{free_mb:.0f} of {all_mb:.0f} MB available"
    state: State = "fail" if free_mb < LEAST_MEMORY_MB else "warning" if free_mb < TIGHT_MEMORY_MB else "ok"
    return (Check("memory", state, said, "" if state == "ok" else "close other programs; chromo-edge needs 200 MB"),)


def _heat() -> tuple[Check, ...]:
    warm_c = host.temperature_c()
    now, before = host.throttled()
    checks = []
    if warm_c == warm_c:
        state: State = "fail" if warm_c >= HOT_C else "warning" if warm_c >= WARM_C else "ok"
        mend = "" if state == "ok" else "give the board a heat sink or a fan"
        checks.append(Check("temperature", state, f"{warm_c:.0f} °C", mend))
    if now or before:
        said = f"now {', '.join(now) or 'nothing'}; since the start {', '.join(before) or 'nothing'}"
        mend = "under-voltage: the board's own power supply and a short cable; heat: a fan"
        checks.append(Check("throttling", "fail" if now else "warning", said, mend))
    return tuple(checks) or (Check("temperature", "ok", "this machine does not tell it"),)


def _clock() -> tuple[Check, ...]:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    if time.localtime().tm_year < BUILT_YEAR:
        return (Check("clock", "fail", f"it says {now}", "sudo date -s 'YYYY-MM-DD HH:MM', or a network for a moment"),)
    held = any((host.ROOT / "dev").glob("rtc*")) or (host.ROOT / "run/systemd/timesync/synchronized").exists()
    if not held:
        mend = "fit a clock battery (Raspberry Pi 5) or set it after each start; labels do not depend on it"
        return (Check("clock", "warning", f"{now}; no clock keeps it while the power is off", mend),)
    return (Check("clock", "ok", now),)
