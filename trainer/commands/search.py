"""``trainer search``: the best learning rate, batch size and number of layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from edge.errors import ConfigError
from trainer.commands.options import MODELS, MOST_SEED, Cutters, Debug

T = TypeVar("T", int, float)


def search(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="As for trainer fit classifier.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The study, its trials and its results.")],
    method: Annotated[str, typer.Option(help="grid: each combination; random; tpe: Bayesian.")] = "grid",
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Trials in all, over all processes.")] = 24,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Crops that each trial learns from.")] = 40_000,
    rates: Annotated[str, typer.Option(help="Peak learning rates; random and tpe draw between the ends.")] = (
        "0.0005,0.002,0.008"
    ),
    batches: Annotated[str, typer.Option(help="Crops a step.")] = "32,128",
    depths: Annotated[str, typer.Option(help="Residual blocks at each size of the network.")] = "1,2,3",
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Decides what each trial's training draws.")] = 1,
    storage: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where Optuna keeps the study: sqlite:///FILE on one machine, postgresql:// or mysql:// for several, "
            "which must see the same DIR. [default: Optuna's journal file, DIR/study.log, shared by processes on one "
            "machine or on several that see DIR over NFS]",
            show_default=False,
        ),
    ] = "",
    models: Cutters = MODELS,
    debug: Debug = False,
) -> None:
    """Search learning rate, batch size and number of layers of the classifier.

    The same command again goes on after a kill; started more than once at a time, the processes share the trials.
    """
    from trainer.search.results import markdown, results_of
    from trainer.search.study import SearchConfig
    from trainer.search.study import search as run_search

    config = SearchConfig(
        tuple(map(str, data)),
        method,  # type: ignore[arg-type]  # checked there
        trials,
        samples,
        rates=_numbers(rates, float, "--rates"),
        batches=_numbers(batches, int, "--batches"),
        depths=_numbers(depths, int, "--depths"),
        seed=seed,
        models=str(models),
    )
    results: dict[str, Any] = results_of(run_search(config, out, storage))
    print(markdown(results), end="")
    failed = results["failed"]
    if failed and not results["trials"] and not results["running"]:
        number, why = next(iter(failed.items()))
        raise ConfigError(
            f"{out}: expected a trial that comes to something, got {len(failed)} that failed, first trial {number}: "
            f"{why}; give smaller --rates or --batches and another --out"
        )


def _numbers(text: str, kind: Callable[[str], T], option: str) -> tuple[T, ...]:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} must be numbers with commas between; got '{text}'") from None
