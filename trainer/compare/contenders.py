"""The rows of the comparison: the traditional method, the standard networks, the enhanced one, its ablations, and what
training for int8 and pruning make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.errors import ConfigError
from trainer.fit.mix import Mix
from trainer.networks.registry import AS_SHIPPED, BUILDERS, ENHANCED, Architecture, mixed

TRADITIONAL = "traditional"
ABLATED = ("filters", "residual", "normalization", "dropout", "heads")
MIXES: tuple[Mix, ...] = ("mixup", "cutmix")
Compression = Literal["none", "quantized", "pruned-quantized"]
COMPRESSIONS: tuple[Compression, ...] = ("quantized", "pruned-quantized")


@dataclass(frozen=True, slots=True)
class Contender:
    """One row: a network, and how it learns."""

    network: Architecture = AS_SHIPPED
    mix: Mix = "none"
    teachers: tuple[str, ...] = ()
    compression: Compression = "none"
    """What is done to the finished network of the row ``ENHANCED``; all else is as in that row."""


def contenders(teachers: Sequence[str] = ()) -> Mapping[str, Contender]:
    """All networks by the name of their row; ``teachers``, files of networks, add the row of their student."""
    rows = {name: Contender(Architecture(name)) for name in BUILDERS if name != ENHANCED}
    rows[ENHANCED] = Contender()
    rows |= {f"{ENHANCED}-without-{name}": Contender(Architecture(ingredients=mixed([name]))) for name in ABLATED}
    rows[f"{ENHANCED}-with-attention"] = Contender(Architecture(ingredients=mixed(adding=["attention"])))
    rows |= {f"{ENHANCED}-with-{mix}": Contender(mix=mix) for mix in MIXES}
    rows |= {f"{ENHANCED}-{how}": Contender(compression=how) for how in COMPRESSIONS}
    if teachers:
        rows[f"{ENHANCED}-with-teacher"] = Contender(teachers=tuple(teachers))
    return rows


def pick_rows(rows: Mapping[str, Contender], only: Sequence[str]) -> tuple[str, ...]:
    """The names in ``only``, or all if it is empty, in the table's order; ``ConfigError`` names a row that does not
    exist."""
    names = (TRADITIONAL, *rows)
    for name in only:
        if name not in names:
            raise ConfigError(f"expected a row of {', '.join(names)}; got '{name}'")
    return tuple(name for name in names if not only or name in only)
