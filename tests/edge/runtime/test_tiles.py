"""The processor's matrix tiles are left alone, and the thread's signal stack is as it was."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from edge.runtime import tiles

HERE = Path(__file__).parent
PERMITTED = f"""
import ctypes
from pathlib import Path
from edge.runtime.interpreter import Network

def permitted():
    mask = ctypes.c_uint64()
    assert ctypes.CDLL(None).syscall(158, 0x1022, ctypes.byref(mask)) == 0  # arch_prctl(ARCH_GET_XCOMP_PERM)
    return mask.value >> 18 & 1

before = permitted()
Network(Path({str(HERE / "tiny.tflite")!r}))
print(before, permitted())
"""


@pytest.mark.skipif(
    not (Path("/proc/cpuinfo").exists() and "amx_tile" in Path("/proc/cpuinfo").read_text()),
    reason="a processor without the tiles",
)
def test_a_network_is_opened_without_the_tiles() -> None:
    said = subprocess.run([sys.executable, "-c", PERMITTED], capture_output=True, text=True, check=True).stdout
    assert said == "0 0\n"


@pytest.mark.skipif(sys.platform != "linux" or tiles.platform.machine() != "x86_64", reason="Linux on x86_64 only")
def test_the_signal_stack_is_set_within_and_restored_behind() -> None:
    before = _signal_stack()
    with tiles.no_tiles():
        assert _signal_stack()[1] == tiles.SIGNAL_STACK_BYTES != before[1]
    assert _signal_stack() == before


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles.platform, "machine", lambda: "aarch64")
    before = _signal_stack()
    with tiles.no_tiles():
        assert _signal_stack() == before


def _signal_stack() -> tuple[int | None, int]:
    """Address and size of this thread's; a size of 0 where there is none."""
    now = tiles._SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(now)) == 0
    return now.address, now.size_bytes
