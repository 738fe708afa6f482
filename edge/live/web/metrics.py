"""Counts and times of a run, in Prometheus' text format."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left

from edge.board.host import process_mb
from edge.runtime.guarded import Acceleration

_BUCKETS_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 2.0)


class Metrics:
    """Any thread may add and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"frames": 0, "labelled": 0, "shown": 0, "refused_clients": 0}
        self._buckets = [0] * (len(_BUCKETS_S) + 1)
        self._latency_sum_s = 0.0

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def drawn(self, latency_s: float) -> None:
        """Labels were drawn in a browser ``latency_s`` after their frame was captured."""
        with self._lock:
            self._buckets[bisect_left(_BUCKETS_S, latency_s)] += 1
            self._latency_sum_s += latency_s

    def text(self, *, clients: int, fault: bool, unkept: bool, computed: Acceleration | None = None) -> str:
        with self._lock:
            lines = [
                line
                for name, value in self._counts.items()
                for line in (f"# TYPE chromo_{name}_total counter", f"chromo_{name}_total {value}")
            ]
            lines += ["# TYPE chromo_capture_to_drawn_seconds histogram"]
            so_far = 0
            for limit_s, count in zip((*_BUCKETS_S, "+Inf"), self._buckets, strict=True):
                so_far += count
                lines.append(f'chromo_capture_to_drawn_seconds_bucket{{le="{limit_s}"}} {so_far}')
            lines += [
                f"chromo_capture_to_drawn_seconds_sum {self._latency_sum_s:.6f}",
                f"chromo_capture_to_drawn_seconds_count {so_far}",
            ]
        gauges = {
            "clients": clients,
            "camera_fault": int(fault),
            "store_fault": int(unkept),
            "resident_bytes": _resident_bytes(),
        }
        for name, value in gauges.items():
            lines += [f"# TYPE chromo_{name} gauge", f"chromo_{name} {value}"]
        if computed is not None:
            lines.append("# TYPE chromo_accelerated gauge")
            lines += [f'chromo_accelerated{{network="{name}"}} {int(on)}' for name, on in computed.networks.items()]
            lines.append("# TYPE chromo_delegate_failures_total counter")
            lines.append(f"chromo_delegate_failures_total {computed.failures}")
        return "\n".join(lines) + "\n"


def _resident_bytes() -> int:
    """0 where the kernel does not tell."""
    mb = process_mb()
    return 0 if math.isnan(mb) else round(mb * 1024 * 1024)
