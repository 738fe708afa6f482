"""A run's log as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence


def drawn_curves(history: Mapping[str, Sequence[tuple[int, float]]]) -> bytes:
    """Logged columns as (step, value) pairs to PNG: one panel a measure, with its ``val_`` twin in the same panel;
    empty if nothing is logged."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    if not panels:
        return b""
    figure = Figure(figsize=(7, 2.4 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        for name in (panel, f"val_{panel}"):
            if history.get(name):
                axes.plot(*zip(*history[name], strict=True), label=name, marker="." if len(history[name]) < 50 else "")
        axes.legend(loc="best")
        axes.grid(alpha=0.3)
    axes.set_xlabel("step")
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()
