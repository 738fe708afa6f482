"""The processor's matrix tiles are left alone, and the thread's signal stack is as it was."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

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


STACKS = """
import ctypes, faulthandler
from edge.runtime import tiles

def stack():
    now = tiles._SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(now)) == 0
    return now.address, now.size_bytes

faulthandler.enable()  # sets a signal stack of its own
before = stack()
if elsewhere:
    tiles.platform.machine = lambda: "aarch64"
with tiles.no_tiles():
    within = stack()
print(within[1] == tiles.SIGNAL_STACK_BYTES, within == before, stack() == before)
"""


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="Linux on x86_64 only")
@pytest.mark.parametrize(
    ("elsewhere", "ours_unchanged_restored"), [(False, "True False True"), (True, "False True True")]
)
def test_the_signal_stack_is_set_within_and_restored_behind(elsewhere: bool, ours_unchanged_restored: str) -> None:
    """In a process of its own: TensorFlow in this one may have the tiles, and then Linux refuses a small stack."""
    code = f"elsewhere = {elsewhere}\n{STACKS}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ours_unchanged_restored.split()
