"""A case's exports as files in a folder, each written whole or not at all. Every name begins with the cell's number."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge.cases import export
from edge.cases.corrections import LINES, write_corrections
from edge.cases.ometiff import ome_tiff
from edge.cases.report import ReportInput, report_pdf
from edge.cases.store import CaseStore
from edge.errors import SinkError
from edge.sinks.files import check_replaced, reason, writable_folder, write_bytes
from edge.text import one_line, printable

EVERY_FORM = ("png", "csv", "json", "ome-tiff", "corrections")
OWNER = "case.txt"
"""Tells whose files are in an export's folder: the case's name, and when it was opened."""
TABLES = ("case.json", "cells.csv", "chromosomes.csv", "corrections")
"""The files of an export that are not named after a cell."""


@dataclass(frozen=True, slots=True)
class Written:
    """``paths`` in the order of writing; ``left_out`` of ``cells`` are not among the corrections."""

    paths: tuple[Path, ...]
    cells: int
    left_out: int


def write_case(store: CaseStore, case: str, folder: Path, forms: Sequence[str], by: str | None = None) -> Written:
    """Writes ``case`` in each of ``forms``, which are of ``EVERY_FORM``. ``by``: who wants it, for the log, which knows
    of it before a file is there. Raises ``SinkError`` where that cannot be done, and for a folder with another case's
    files; ``StoreError`` like the store."""
    with store.at_once():  # the head vouches for these cells and no later ones
        opened, states, head = store.case(case), store.cells(case), store.head()
    name = printable(opened.name)
    writable_folder(folder)
    _refuse_another(name, opened.opened_utc, folder)
    if by is not None:
        store.note(case, by, {"as": list(forms)})
    paths: list[Path] = []

    def write(name: str, content: bytes) -> None:
        write_bytes(folder / name, content)
        paths.append(folder / name)

    write(OWNER, f"{name}\n{opened.opened_utc}\n".encode())
    if "json" in forms:
        write("case.json", export.case_json(opened, states, head).encode("ascii"))
    if "csv" in forms:
        write("cells.csv", export.cells_csv(states).encode("utf-8"))
        write("chromosomes.csv", export.chromosomes_csv(states).encode("utf-8"))
    for state in states:
        stem = f"{state.captured.number:03d}"
        if "png" in forms:
            write(f"{stem}-karyogram.png", export.karyogram_png(state))
            write(f"{stem}-metaphase.png", export.metaphase_png(store.frame(state.id), state))
        if "ome-tiff" in forms:
            write(f"{stem}.ome.tiff", ome_tiff(store.frame(state.id), state))
    left_out = 0
    if "corrections" in forms:
        left_out = write_corrections(store, states, folder / "corrections")
        paths.append(folder / "corrections" / LINES)
    return Written(tuple(paths), len(states), left_out)


def _refuse_another(case: str, opened_utc: str, folder: Path) -> None:
    """Raises ``SinkError`` for another case's folder: all cases' files have the same names, and some would stay."""
    there = _owner(folder)
    if there is None:
        strange = [name for name in TABLES if (folder / name).exists()]
        if strange:
            raise SinkError(f"{folder}: it has a {strange[0]}, and nothing says of which case; name another folder")
        return
    name, *opened = there.splitlines() or [""]
    if name != case:
        raise SinkError(
            f"{folder}: expected a folder without another case's files, it has those of {one_line(name)}; name another"
        )
    if opened and opened[0] != opened_utc:
        raise SinkError(
            f"{folder}: it has the files of another case {one_line(name)}, of {opened[0]}, not {opened_utc}; name "
            "another"
        )


def _owner(folder: Path) -> str | None:
    """Whose files are in ``folder``: the case's name, and in a second line when it was opened, if that is known; None
    where nothing says so. Exports of earlier versions say it in their JSON."""
    try:
        return (folder / OWNER).read_bytes().decode("utf-8", "replace").rstrip("\r\n")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SinkError(f"cannot read {folder / OWNER}: {reason(error)}; name another folder") from error
    try:
        return printable(json.loads((folder / "case.json").read_bytes())["case"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def zipped_case(store: CaseStore, case: str) -> IO[bytes]:
    """``case`` in every form as a ZIP archive, in a file without a name that goes when it is closed: a long case is
    larger than a board's memory should give. Raises ``SinkError``."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - who asked closes it
        with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            folder = Path(name)
            write_case(store, case, folder, EVERY_FORM)
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(folder))
        file.seek(0)
    except OSError as error:
        raise SinkError(f"cannot write temporary files: {reason(error)}; free some space there") from error
    return file


def write_report(store: CaseStore, case: str, path: Path, by: str | None = None) -> str:
    """Writes the PDF and returns the log's head that it prints. ``by`` as for ``write_case``. Raises ``SinkError``
    where it cannot be written, and for a file that is no PDF; ``StoreError`` like the store."""
    check_replaced(path, "a PDF", b"%PDF")
    with store.at_once():
        head = store.head()
        of = ReportInput(store.case(case), store.cells(case), head, store.frame)
    writable_folder(path.parent)
    if by is not None:
        store.note(case, by, {"as": ["report"], "head": head.sha256})
    write_bytes(path, report_pdf(of))
    return head.sha256
