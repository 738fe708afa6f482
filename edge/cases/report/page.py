"""A page to write and draw on, by fpdf2, in the fonts and colours of the report."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from edge.records import UInt8Array

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN_MM, WIDTH_MM, BOTTOM_MM = 16.0, 178.0, 277.0
_PT_MM = 0.3528
_INK, GREY, _AMBER, _AMBER_FILL, RED = (24, 24, 24), (110, 110, 110), (150, 74, 0), (255, 240, 214), (160, 20, 28)
_WIDE_FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""Debian's and Raspberry Pi OS's own fonts, for names that the PDF's built-in ones cannot write."""
_PADDING_MM = 1.2
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


class Page:
    """A page of ``paper`` to write on from top to bottom; ``text`` is all that is to be written, for the choice of
    font."""

    def __init__(self, paper: FPDF, text: str) -> None:
        self.paper = paper
        self._family = "helvetica"
        self._letters: Container[int] = range(256)
        regular, bold = _WIDE_FONTS / "DejaVuSans.ttf", _WIDE_FONTS / "DejaVuSans-Bold.ttf"
        if not _narrow(text) and regular.is_file() and bold.is_file():
            paper.add_font("wide", "", regular)
            paper.add_font("wide", "B", bold)
            self._family = "wide"
            self._letters = paper.fonts["wide"].cmap

    def type(self, points: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.paper.set_font(self._family, "B" if bold else "", points)
        self.paper.set_text_color(*colour)

    def written(self, text: str) -> str:
        """``text`` as the font can write it: accents are dropped before letters are, and these become their numbers,
        ``[U+738B]``: a patient's name is never cut short."""
        return "".join(map(self._letter, unicodedata.normalize("NFC", text)))  # some systems write an accent apart

    def shortened(self, text: str, width_mm: float) -> str:
        """``text`` as it is ``written``, cut to what goes into the width."""
        text = self.written(text)
        if self.paper.get_string_width(text) <= width_mm:
            return _as_seen(text)
        while text and self.paper.get_string_width(f"{text}...") > width_mm:
            text = text[:-1]
        return _as_seen(f"{text}...")

    def laid(self, text: str, width_mm: float) -> str:
        """``text`` as it is ``written``, to be wrapped at that width: a karyotype too long for it goes on after a comma
        or a slash, and Hebrew and Arabic run from the right."""
        text = " ".join(self._parted(word, width_mm) for word in self.written(text).split(" "))
        if not _from_right(text):
            return text
        lines = self.paper.multi_cell(width_mm, text=text, align="L", dry_run=True, output="LINES")
        return "\n".join(map(_as_seen, lines))

    def _parted(self, word: str, width_mm: float) -> str:
        room_mm = width_mm - 2 * self.paper.c_margin
        if self.paper.get_string_width(word) <= room_mm:
            return word
        lines = [""]
        for term in re.split("(?<=[,/])", word):
            if lines[-1] and self.paper.get_string_width(lines[-1] + term) > room_mm:
                lines.append("")
            lines[-1] += term
        return "\n".join(lines)

    def _letter(self, letter: str) -> str:
        if ord(letter) in self._letters:
            return letter
        if unicodedata.combining(letter):
            return ""
        plain = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
        known = plain and all(ord(c) in self._letters for c in plain)
        return plain if known else f"[U+{ord(letter):04X}]"

    def line(self, text: str, points: float = 10, *, align: str = "L", **kind: Any) -> None:
        """A paragraph over the page's width."""
        self.type(points, **kind)
        self.paper.multi_cell(
            WIDTH_MM, points * _PT_MM * 1.35, self.laid(text, WIDTH_MM), new_x="LMARGIN", new_y="NEXT", align=align
        )

    def gap(self, mm: float) -> None:
        self.paper.ln(mm)

    def rule(self) -> None:
        y = self.paper.get_y()
        self.paper.set_draw_color(200)
        self.paper.line(MARGIN_MM, y, MARGIN_MM + WIDTH_MM, y)

    def heading(self, text: str) -> None:
        self.gap(3)
        self.line(text, 11, bold=True)
        self.gap(0.5)

    def warning(self, text: str) -> None:
        self.type(10, bold=True, colour=_AMBER)
        self.paper.set_fill_color(*_AMBER_FILL)
        self.paper.multi_cell(
            WIDTH_MM, 6, self.laid(text, WIDTH_MM), fill=True, new_x="LMARGIN", new_y="NEXT", align="L"
        )

    def table(self, heads: Sequence[str], widths: Sequence[float], rows: Iterable[Sequence[object]]) -> None:
        from fpdf.fonts import FontFace

        self.type(8)
        self.paper.set_draw_color(200)
        self.paper.set_fill_color(255)
        head_style = FontFace(emphasis="BOLD", fill_color=(240, 240, 240))
        with self.paper.table(
            width=WIDTH_MM,
            col_widths=tuple(widths),
            text_align="LEFT",
            line_height=4.6,
            padding=(0.6, _PADDING_MM),
            borders_layout="HORIZONTAL_LINES",
            headings_style=head_style,
        ) as table:
            for row in (heads, *rows):
                cells = table.row()
                for value, width_mm in zip(row, widths, strict=True):
                    cells.cell(self.laid(str(value), width_mm - 2 * _PADDING_MM))

    def picture(self, pixels: UInt8Array, most_mm: float, *, photograph: bool) -> None:
        """``pixels`` (H, W, 3) as wide as the page, but not higher than ``most_mm``."""
        height, width = pixels.shape[:2]
        shown_mm = min(WIDTH_MM, most_mm * width / height)
        buffer = io.BytesIO()
        if photograph:
            Image.fromarray(pixels).save(buffer, format="JPEG", quality=88, subsampling=0)
        else:
            Image.fromarray(pixels).save(buffer, format="PNG")
        self.paper.image(buffer, x=MARGIN_MM + (WIDTH_MM - shown_mm) / 2, w=shown_mm)


def day(utc: str) -> str:
    return f"{utc[:10]} {utc[11:16]} UTC"


def _narrow(text: str) -> bool:
    """Whether the PDF's built-in fonts can write it."""
    return all(ord(c) < 256 for c in text)


def _from_right(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def _as_seen(line: str) -> str:
    """``line`` with its letters as they stand on paper, from the left: fpdf2 writes them as they come, which would be
    a Hebrew or Arabic name backwards."""
    if not _from_right(line):
        return line
    from fpdf.bidi import BidiParagraph
    from fpdf.enums import TextDirection

    letters = BidiParagraph(line, base_direction=TextDirection.LTR).get_reordered_characters()
    return "".join(c.character.translate(_MIRRORED) if c.embedding_level % 2 else c.character for c in letters)
