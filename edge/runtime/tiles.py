"""Keeps XNNPACK off AMX, Intel's matrix tiles, which it fills badly with networks as narrow as ours.

XNNPACK (LiteRT 2.3) takes its AMX kernels wherever the processor has them and Linux lets the process use them. They
multiply 16 x 64 values by 64 x 16 at a time, whatever the layer's width, and each tap of a convolution anew: of 24
channels most of a tile is padding. On a Xeon of 2023 (model 207, two cores), one thread, ms with them and without:
classifier 48 and 9.5 (46 crops), separator 37 and 13.5, verifier 10 and 6.6, locator 34 and 17.7; both give the same
bytes. Neither LiteRT nor XNNPACK has a setting for it, but a process must ask Linux for the tiles first
(``arch_prctl(ARCH_REQ_XCOMP_PERM)``), and Linux refuses while a thread has a signal stack that could not hold them
(arch/x86/kernel/fpu/xstate.c, ``validate_sigaltstack``). XNNPACK asks once, as its first model is opened, and then
falls back to AVX-512 VNNI.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGNAL_STACK_BYTES = 8192
"""Holds a signal's frame with AVX-512, 3.6 kB, and not one with the tiles, 11 kB."""


class _SignalStack(ctypes.Structure):
    """``stack_t`` of sigaltstack(2)."""

    _fields_ = [("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size_bytes", ctypes.c_size_t)]


@contextmanager
def no_tiles() -> Iterator[None]:
    """Linux refuses the tiles to whoever asks for them within, unless this process has them already. Elsewhere, and
    where the signal stack cannot be set, nothing is different."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        yield
        return
    sigaltstack = ctypes.CDLL(None).sigaltstack
    room = ctypes.create_string_buffer(SIGNAL_STACK_BYTES)
    ours, before = _SignalStack(ctypes.addressof(room), 0, len(room)), _SignalStack()
    refused = sigaltstack(ctypes.byref(ours), ctypes.byref(before)) != 0
    try:
        yield
    finally:
        if not refused:
            sigaltstack(ctypes.byref(before), None)
