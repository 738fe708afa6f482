"""What machine this is, read from the kernel's own files; whatever a board does not tell is said to be unknown."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

UNKNOWN = "unknown"
ROOT = Path("/")

_THROTTLED_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of ``vcgencmd get_throttled``: what is so now; 16 bits higher, since the start (Raspberry Pi documentation)."""


@dataclass(frozen=True, slots=True)
class Board:
    """``temperature_c`` is the hottest zone's, NaN where there is none; ``throttled``: what holds the board back now;
    ``load``: how many programs wanted a core in the last minute (a busy machine measures too slow)."""

    name: str
    cpu: str
    cores: int
    governor: str
    temperature_c: float
    throttled: tuple[str, ...]
    memory_mb: float
    load: float
    system: str
    python: str
    runtime: str

    def to_json(self) -> dict[str, Any]:
        """As ``chromo-edge bench --json`` has it under ``board``; an unknown temperature is null."""
        fields = asdict(self) | {"throttled": list(self.throttled)}
        temperature = fields.pop("temperature_c")
        return fields | {"temperature_c": round(temperature, 1) if temperature == temperature else None}


def this_board(runtime: str) -> Board:
    """``runtime`` is ``edge.runtime.interpreter.runtime_name()``, which the caller may not want to load."""
    return Board(
        name=board_name(),
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        governor=_text(ROOT / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=temperature_c(),
        throttled=throttled()[0],
        memory_mb=round(meminfo_mb("MemTotal")),
        load=round(os.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        runtime=runtime,
    )


def board_name() -> str:
    """The device tree's model (``Raspberry Pi 5 Model B Rev 1.0``), else what the firmware says, else the machine."""
    for place in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        name = _text(ROOT / place).strip("\0 ")
        if name not in (UNKNOWN, ""):
            return name
    return platform.machine()


def cpu_name() -> str:
    for line in _text(ROOT / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def temperature_c() -> float:
    """The hottest thermal zone, degrees Celsius; NaN where there is none."""
    zones = [_text(path) for path in (ROOT / "sys/class/thermal").glob("thermal_zone*/temp")]
    return max((int(zone) / 1000 for zone in zones if zone.strip().lstrip("-").isdigit()), default=float("nan"))


def throttled() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What holds a Raspberry Pi back (now, since the start); empty on other boards and where all is well."""
    tool = shutil.which("vcgencmd")
    if tool is None:
        return (), ()
    try:
        said = subprocess.run([tool, "get_throttled"], capture_output=True, text=True, timeout=5).stdout
        bits = int(said.strip().removeprefix("throttled="), 16)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return (), ()
    return tuple(tuple(name for bit, name in _THROTTLED_BITS.items() if bits >> (bit + shift) & 1) for shift in (0, 16))  # type: ignore[return-value]


def meminfo_mb(field: str) -> float:
    """A field of ``/proc/meminfo`` (``MemTotal``, ``MemAvailable``) in MB; NaN where it is not told."""
    return _kilobytes(ROOT / "proc/meminfo", field)


def process_mb(field: str = "VmRSS") -> float:
    """Resident memory of this process in MB: ``VmRSS`` now, ``VmHWM`` at its peak; NaN where it is not told."""
    return _kilobytes(ROOT / "proc/self/status", field)


def _kilobytes(path: Path, field: str) -> float:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value.split()[0]) / 1024
    return float("nan")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return UNKNOWN
