"""One page about one classifier: figures, confusion, calibration, its worst crops, learning curves, its card's facts.

The page holds its pictures and needs nothing else. They are the user's data: it belongs into the user's folder.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.records import LABELS
from edge.runtime.bundle import load_bundle
from trainer.errors import DatasetError
from trainer.judged import Judged
from trainer.report_pictures import confusion_picture, reliability_picture
from trainer.runs import Run
from trainer.score_crops import score_crops
from trainer.sheet import Tile, dark_on_light, draw_sheet

TEMPLATE = Path(__file__).parent / "templates" / "report.html"
WORST = 48
WORST_A_ROW = 12
WORST_CELLS = 8
SURE = 0.9
CONFUSED_PAIRS = 10
LARGE_FIELDS = ("labels", "schema")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the page is about: the bundle's folder, the name of the data, the split, and the run folder with the log of
    its training, or None."""

    model: Path
    data: str
    split: str
    run: Path | None


def page(subject: Subject, judged: Judged) -> str:
    """The page as HTML. ``DatasetError``: ``subject.run`` holds no log."""
    from jinja2 import Environment
    from markupsafe import Markup

    figures = score_crops(judged.truth, judged.scores, judged.assigned or None)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: "-" if share is None else f"{100 * share:.1f} %"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=subject.model.name,
        data=subject.data,
        split=subject.split,
        figures=figures,
        polarity=judged.polarity_accuracy,
        weakest=min(figures["per_class"].items(), key=lambda item: float(item[1]["f1"])),
        confused=confused_pairs(figures["confusion"]),
        confusion=embedded(confusion_picture(figures["confusion"])),
        reliability=embedded(reliability_picture(judged.scores.max(1), judged.said == judged.actual)),
        worst=embedded(worst_sheet(judged)),
        worst_count=min(WORST, len(judged.truth)),
        worst_cells=worst_cells(judged),
        curves=_curves(subject.run),
        facts=bundle_facts(subject.model),
        card=Markup(card_html(subject.model)),
    )


def embedded(png: bytes) -> str:
    """A picture as the text of an ``src``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def confused_pairs(confusion: list[list[int]]) -> list[tuple[str, str, int, float]]:
    """The commonest mistakes: truth, what was said, how often, and as a share of the class; the most frequent first."""
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    totals = np.array(confusion).sum(1)
    order = np.argsort(-counts, axis=None, kind="stable")[:CONFUSED_PAIRS]
    cells = [(int(i) // len(LABELS), int(i) % len(LABELS)) for i in order]
    return [(LABELS[t], LABELS[s], int(counts[t, s]), counts[t, s] / totals[t]) for t, s in cells if counts[t, s]]


@dataclass(frozen=True, slots=True)
class WorstCell:
    """A cell by its mistakes, each crop alone; ``shifted``: how many of its crops are surely called by the class before
    or after theirs, all in the same direction. Many of them hint at wrong labels rather than wrong answers."""

    name: str
    crops: int
    wrong: int
    shifted: int


def worst_cells(judged: Judged) -> list[WorstCell]:
    """The known cells with the most mistakes, at most ``WORST_CELLS``."""
    said, actual, sure = judged.said, judged.actual, judged.scores.max(1) >= SURE
    cells = []
    for name in dict.fromkeys(judged.cells):
        own = np.array([cell == name for cell in judged.cells])
        step = (said - actual)[own]
        shifted = max(int((sure[own] & (step == way)).sum()) for way in (-1, 1))
        cells.append(WorstCell(name, int(own.sum()), int((step != 0).sum()), shifted))
    bad = [cell for cell in cells if cell.name and cell.wrong]
    return sorted(bad, key=lambda cell: (-cell.wrong, cell.name))[:WORST_CELLS]


def worst_sheet(judged: Judged) -> bytes:
    """The crops to which their own class seemed least likely, "truth > said" under each, as PNG."""
    own = judged.scores[np.arange(len(judged.truth)), judged.actual]
    order = np.argsort(own, kind="stable")[:WORST]
    tiles = [
        Tile(
            dark_on_light(judged.pixels[k]),
            f"{judged.truth[k]} > {LABELS[judged.said[k]]} {judged.scores[k].max():.2f}",
        )
        for k in order
    ]
    rows = [("", tiles[i : i + WORST_A_ROW]) for i in range(0, len(tiles), WORST_A_ROW)]
    return draw_sheet(rows, tile_px=(88, 128), title_px=0)


def bundle_facts(model: Path) -> dict[str, str]:
    """What ``bundle.json`` and ``report.json`` say, one line a fact."""
    bundle = load_bundle(model, "classifier")
    facts = {"bytes": f"{len(bundle.model_bytes):,}"}
    for name in ("bundle.json", "report.json"):
        path = model / name
        if path.is_file():
            stored = json.loads(path.read_bytes())
            facts |= {key: _shown(value) for key, value in stored.items() if key not in LARGE_FIELDS}
    return facts


def card_html(model: Path) -> str:
    """``card.md`` as HTML without its title; HTML in it is shown, not obeyed. "" if there is none."""
    from markdown_it import MarkdownIt

    path = model / "card.md"
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8")
    body = text.split("\n", 1)[1] if text.startswith("# ") else text
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(body))


def _curves(run: Path | None) -> str:
    if run is None:
        return ""
    if not (run / "log.csv").is_file():
        raise DatasetError(f"{run}: expected a run folder with log.csv, found none; name the folder of trainer fit")
    picture = Run(run).curves()
    return embedded(picture) if picture else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(v)}" for key, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
