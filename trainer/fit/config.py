"""The settings that the fits of all networks share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainer.fit.loop import Plan


@dataclass(frozen=True, slots=True)
class FitConfig:
    """What to learn from, how long and how hard; ``rate`` is the peak of the learning rate, ``decay`` that of the
    weights, ``batch`` counts samples a step. Each network's own settings follow, with its own usual values."""

    data: Any
    """A set, or several, as the network's own settings say."""
    steps: int
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-3
    seed: int = 1
    start: str = ""
    """Weights (.keras) to go on from; empty: from nothing."""

    def plan(self, clip_norm: float) -> Plan:
        return Plan(self.steps, self.rate, self.decay, clip_norm, self.seed)
