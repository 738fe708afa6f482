"""What leaves a case, read back by programs of others."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import pytest
import tifffile
from fpdf import FPDF
from ome_types import validate_xml
from PIL import Image
from pypdf import PdfReader

from edge.camera.metaphase import draw_metaphase
from edge.cases.corrections import correction_line
from edge.cases.edits import Accept, Draw, Exclude, Flip, Mark, Relabel, SetAside
from edge.cases.export import CELL_COLUMNS, NOTICE, editors, scale_of, to_review, waiting
from edge.cases.files import EVERY_FORM, write_case, write_report, zipped_case
from edge.cases.ometiff import OME, ome_tiff, ome_xml
from edge.cases.report.page import WIDTH_MM, Page
from edge.cases.state import CellState
from edge.cases.store import CaseStore
from edge.commands.case import Form
from edge.errors import SinkError
from edge.records import NOMINAL_UM_PER_PX, Cell, Frame
from tests.builders import NORMAL_FEMALE, make_cell, make_chromosome, make_frame
from tests.edge.cases.older import unchecked
from tests.edge.cases.states import captured, edited
from trainer.data.corrections import read_corrections

SCHEMA = json.loads((Path(__file__).parents[2] / "contract" / "cell.schema.json").read_text())
OWN_FIELDS = {"name", "kind", "edited", "excluded"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CaseStore]:
    """Cell 1 corrected and reviewed, 47,XX,+21; cell 2 with three to review; cell 3 set aside."""
    with CaseStore(tmp_path / "store") as opened:
        opened.new_case("A-1", "kim")
        size = {"width_px": 340, "height_px": 300}
        misread = [*NORMAL_FEMALE[:3], "3", *NORMAL_FEMALE[4:]]
        first = opened.capture(
            "A-1", make_frame(300, 340, level=200), make_cell(misread, review=[3], frame="1.png", **size), "kim"
        )
        drawn = make_chromosome(0, "21", box_px=(300, 200, 314, 260))
        for edit in (Relabel(3, "2"), Draw(drawn), Accept((46,))):
            opened.edit(first.id, edit, based_on=opened.cell(first.id).revision, actor="kim")
        second = [*NORMAL_FEMALE, "7"]
        opened.capture(
            "A-1", make_frame(300, 340, level=210), make_cell(second, review=[1, 2, 46], frame="=2.png"), "lee"
        )
        third = opened.capture("A-1", make_frame(300, 340, level=220), make_cell(frame="3.png"), "lee")
        opened.edit(third.id, SetAside("two spreads"), based_on=0, actor="lee")
        yield opened


def test_the_files(store: CaseStore, tmp_path: Path) -> None:
    written = write_case(store, "A-1", tmp_path / "out", tuple(Form))
    names = {path.relative_to(tmp_path / "out").as_posix() for path in written.paths}
    assert names == {
        "case.json",
        "cells.csv",
        "case.txt",
        "chromosomes.csv",
        "corrections/corrections.jsonl",
        *(f"00{n}{end}" for n in (1, 2, 3) for end in ("-karyogram.png", "-metaphase.png", ".ome.tiff")),
    }
    assert all(path.stat().st_size > 0 for path in written.paths)
    for path in written.paths:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                picture.verify()


def test_the_json_is_the_frames_line_and_the_edits(store: CaseStore, tmp_path: Path) -> None:
    write_case(store, "A-1", tmp_path, ("json",))
    said = json.loads((tmp_path / "case.json").read_text())
    assert (said["case"], said["notice"]) == ("A-1", NOTICE)
    assert said["log_head"] == {"entries": store.head().seq, "sha256": store.head().sha256}
    assert (said["tally"]["karyotype"], said["tally"]["apart"]) == ("", [1, 2])
    assert [s["change"] for s in said["tally"]["not_clonal"]] == ["+7", "+21"]
    first = said["cells"][0]
    assert (first["karyotype"], first["automatic_karyotype"], first["count"]) == ("47,XX,+21", "46,XX,-2,+3", 47)
    assert [e["edit"] for e in first["edits"]] == ["relabel", "draw", "accept"]
    assert first["edits"][1] == {"revision": 2, "by": "kim", "at_utc": first["edits"][1]["at_utc"], "holds": True,
                                 "edit": "draw", "drawn": 46}  # fmt: skip
    for cell in said["cells"]:
        line = {key: value for key, value in cell.items() if key in SCHEMA["properties"]}
        line["chromosomes"] = [
            {key: value for key, value in c.items() if key not in OWN_FIELDS} for c in cell["chromosomes"]
        ]
        jsonschema.validate(line, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_an_undo_in_the_json_has_its_own_number_and_that_of_what_it_is_about(store: CaseStore, tmp_path: Path) -> None:
    first = store.cell_number("A-1", 1)
    store.edit(first.id, Exclude(7), based_on=first.revision, actor="lee")
    store.undo(first.id, based_on=first.revision + 1, actor="lee")
    store.redo(first.id, based_on=first.revision + 2, actor="lee")
    write_case(store, "A-1", tmp_path, ("json",))
    edits = json.loads((tmp_path / "case.json").read_text())["cells"][0]["edits"]
    assert [e["revision"] for e in edits] == list(range(1, len(edits) + 1))
    assert [(e["edit"], e.get("of")) for e in edits[-3:]] == [("exclude", None), ("undo", 4), ("redo", 4)]


def test_an_export_is_of_one_moment(store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its head vouches for its cells, and its corrections are of these, whatever a colleague does meanwhile."""
    head, read = store.head(), CaseStore.cells

    def read_while_a_colleague_works(self: CaseStore, case: str) -> tuple[CellState, ...]:
        states = read(self, case)
        with CaseStore(tmp_path / "store") as other:
            state = other.cell_number(case, 2)
            other.edit(state.id, Accept((1, 2, 46)), based_on=state.revision, actor="lee")
        return states

    monkeypatch.setattr(CaseStore, "cells", read_while_a_colleague_works)
    written = write_case(store, "A-1", tmp_path / "out", ("json", "corrections"))
    said = json.loads((tmp_path / "out" / "case.json").read_text())
    assert [cell["reviewed"] for cell in said["cells"]] == [True, False, False]
    assert said["log_head"] == {"entries": head.seq, "sha256": head.sha256}
    assert written.left_out == 2
    assert store.head() != head


def test_a_spreadsheet_reads_umlauts(tmp_path: Path) -> None:
    """Excel takes a table that does not begin with this mark for its own code page."""
    with CaseStore(tmp_path / "cases") as store:
        store.new_case("Mütze", "kim")
        store.capture("Mütze", make_frame(), make_cell(), "kim")
        write_case(store, "Mütze", tmp_path, ("csv",))
    for name in ("cells.csv", "chromosomes.csv"):
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b'\xef\xbb\xbf"case"')
        assert all(row["case"] == "Mütze" for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_name_is_a_formula(tmp_path: Path, start: str) -> None:
    with CaseStore(tmp_path / "cases") as store:
        store.new_case("A-1", "kim")
        store.capture("A-1", make_frame(), make_cell(frame=f"{start}1.png"), "kim")
        write_case(store, "A-1", tmp_path, ("csv",))
    (cell,) = csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text("utf-8-sig")))
    assert cell["frame"] == f"'{start}1.png"


def test_no_name_is_a_formula_where_semicolons_part_columns(tmp_path: Path) -> None:
    with CaseStore(tmp_path / "cases") as store:
        store.new_case("A-1", "kim")
        store.capture("A-1", make_frame(), make_cell(frame="a;=1+1;\t@x.png"), "kim")
        write_case(store, "A-1", tmp_path, ("csv",))
    text = (tmp_path / "cells.csv").read_text("utf-8-sig")
    assert "a;'=1+1" in text
    for row in csv.reader(io.StringIO(text), delimiter=";"):
        assert not [field for field in row if field.lstrip()[:1] in ("=", "+", "-", "@")]


def test_the_tables(store: CaseStore, tmp_path: Path) -> None:
    state = store.cell_number("A-1", 1)
    state = store.edit(state.id, Exclude(0), based_on=state.revision, actor="lee")
    store.edit(state.id, Mark(5, "marker"), based_on=state.revision, actor="lee")
    write_case(store, "A-1", tmp_path, ("csv",))
    cells = list(csv.DictReader(io.StringIO((tmp_path / "cells.csv").read_text("utf-8-sig"))))
    assert list(cells[0]) == list(CELL_COLUMNS)
    assert [c["karyotype"] for c in cells] == ["46,XX,-1,-3,+21,+mar", "47,XX,+7", "46,XX"]
    assert [c["set_aside"] for c in cells] == ["", "", "two spreads"]
    assert [c["edited_by"] for c in cells] == ["kim; lee", "", "lee"]
    assert [c["reviewed"] for c in cells] == ["1", "0", "0"]
    assert [c["to_review"] for c in cells] == ["0", "3", "0"]
    assert cells[1]["frame"] == "'=2.png"  # a spreadsheet must not take a file's name for a formula
    rows = list(csv.DictReader(io.StringIO((tmp_path / "chromosomes.csv").read_text("utf-8-sig"))))
    assert len(rows) == 47 + 47 + 46
    assert [
        (r["name"], r["counted"], r["edited"], r["automatic_label"]) for r in (rows[0], rows[3], rows[5], rows[46])
    ] == [
        ("1", "0", "1", "1"),
        ("2", "1", "1", "3"),
        ("mar", "1", "1", "3"),
        ("21", "1", "1", ""),
    ]


def test_the_corrections_are_what_a_trainer_reads(store: CaseStore, tmp_path: Path) -> None:
    written = write_case(store, "A-1", tmp_path, ("corrections",))
    assert (written.cells, written.left_out) == (3, 2)
    (line,) = [json.loads(text) for text in (tmp_path / "corrections" / "corrections.jsonl").read_text().splitlines()]
    assert (line["case"], line["count"]) == ("A-1", 47)
    with Image.open(tmp_path / "corrections" / line["image"]) as picture:
        assert np.array_equal(np.asarray(picture), store.frame(store.case("A-1").cells[0]).pixels)
    edited = {c["id"]: c["label"] for c in line["chromosomes"] if c["edited"]}
    assert edited == {3: "2", 46: "21"}
    assert line["chromosomes"][46]["box_px"] == [300, 200, 314, 260]
    plain = {k: v for k, v in line.items() if k not in ("image", "case")}
    plain["chromosomes"] = [{k: v for k, v in c.items() if k != "edited"} for c in line["chromosomes"]]
    jsonschema.validate(plain, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_what_a_person_excluded_stands_apart_among_the_corrections(store: CaseStore, tmp_path: Path) -> None:
    state = store.cell_number("A-1", 1)
    assert "excluded" not in correction_line(state)
    store.edit(state.id, Exclude(7), based_on=state.revision, actor="kim")
    write_case(store, "A-1", tmp_path, ("corrections",))
    line = json.loads((tmp_path / "corrections" / "corrections.jsonl").read_text())
    assert 7 not in [c["id"] for c in line["chromosomes"]]
    own = state.places[7].chromosome
    assert [(c["id"], tuple(c["box_px"])) for c in line["excluded"]] == [(7, own.region.box_px)]
    (frame,), _ = read_corrections(tmp_path / "corrections")
    assert frame.ignored_px.tolist() == [list(own.region.box_px)]  # named surely, and apart


def test_where_the_p_arm_of_a_turned_one_ends_is_among_the_corrections(store: CaseStore, tmp_path: Path) -> None:
    state = store.cell_number("A-1", 1)
    for chromosome in (5, 6, 6):  # and back again
        state = store.edit(state.id, Flip(chromosome), based_on=state.revision, actor="kim")
    write_case(store, "A-1", tmp_path, ("corrections",))
    line = json.loads((tmp_path / "corrections" / "corrections.jsonl").read_text())
    own = state.places[5].chromosome
    end = own.region.axis_px[0 if own.p_arm_up else -1].tolist()
    assert {c["id"]: c["p_end_px"] for c in line["chromosomes"] if "p_end_px" in c} == {5: pytest.approx(end, abs=0.1)}
    (frame,), _ = read_corrections(tmp_path / "corrections")
    assert frame.p_ends_px == {5: pytest.approx(tuple(end), abs=0.1)}


def test_a_chromosome_that_was_drawn_and_turned_tells_its_end(store: CaseStore, tmp_path: Path) -> None:
    state = store.cell_number("A-1", 1)
    turned = [c["id"] for c in correction_line(state)["chromosomes"] if "p_end_px" in c]
    drawn = make_chromosome(99, "5", box_px=(40, 40, 54, 80))
    state = store.edit(state.id, Draw(drawn), based_on=state.revision, actor="kim")
    made = state.places[-1].id
    for flips, told in enumerate([turned, [*turned, made], turned]):
        if flips:
            state = store.edit(state.id, Flip(made), based_on=state.revision, actor="kim")
        state = store.edit(state.id, Relabel(made, "5"), based_on=state.revision, actor="kim")
        assert [c["id"] for c in correction_line(state)["chromosomes"] if "p_end_px" in c] == told


def test_a_marker_is_no_training_data(store: CaseStore, tmp_path: Path) -> None:
    state = store.cell_number("A-1", 1)
    store.edit(state.id, Mark(46, "marker"), based_on=state.revision, actor="kim")
    write_case(store, "A-1", tmp_path, ("corrections",))
    line = json.loads((tmp_path / "corrections" / "corrections.jsonl").read_text())
    assert len(line["chromosomes"]) == 46


def test_the_ome_tiff_holds_picture_and_regions(store: CaseStore, tmp_path: Path) -> None:
    write_case(store, "A-1", tmp_path, ("ome-tiff",))
    with tifffile.TiffFile(tmp_path / "001.ome.tiff") as tiff:
        assert tiff.is_ome
        assert tiff.series[0].kind == "ome"
        assert np.array_equal(tiff.asarray(), store.frame(store.case("A-1").cells[0]).pixels)
        xml = tiff.ome_metadata
    assert xml is not None
    validate_xml(xml)  # against the consortium's own schema
    root = ET.fromstring(xml)
    rois = root.findall(f"{{{OME}}}ROI")
    assert len(rois) == 47
    assert len(root.findall(f".//{{{OME}}}ROIRef")) == 47
    assert [roi.get("Name") for roi in rois[-2:]] == ["X", "21"]
    polygon = rois[-1].find(f".//{{{OME}}}Polygon")
    assert polygon is not None
    points = [tuple(map(float, p.split(","))) for p in str(polygon.get("Points")).split(" ")]
    sides = np.array(points).min(0), np.array(points).max(0)
    np.testing.assert_allclose(sides, [(300, 200), (314, 260)], atol=0.2)  # of the pixels, not of their middles
    axis = rois[-1].find(f".//{{{OME}}}Polyline")
    assert axis is not None
    assert axis.get("Points") == "307,200 307,260"


def ome_of(store: CaseStore, frame: Frame, cell: Cell) -> tuple[ET.Element, tifffile.TiffTags]:
    """The OME-XML that ``cell`` leaves with, valid, and the TIFF's own tags."""
    state = store.capture("A-1", frame, cell, "kim")
    with tifffile.TiffFile(io.BytesIO(ome_tiff(store.frame(state.id), state))) as tiff:
        assert tiff.ome_metadata is not None
        validate_xml(tiff.ome_metadata)
        return ET.fromstring(tiff.ome_metadata), tiff.pages.first.tags


def test_a_stated_scale_is_the_pictures_physical_size(store: CaseStore) -> None:
    root, tags = ome_of(store, make_frame(300, 340, level=225), make_cell(um_per_px=0.05))
    pixels = next(root.iter(f"{{{OME}}}Pixels"))
    assert [pixels.get(f"PhysicalSize{end}") for end in ("X", "XUnit", "Y", "YUnit")] == ["0.05", "µm"] * 2
    assert (tags["XResolution"].value, int(tags["ResolutionUnit"].value)) == ((200_000, 1), 3)
    assert "estimated" not in str(root.findtext(f".//{{{OME}}}Description"))


@pytest.mark.parametrize(("source", "dated"), [("usb:0", True), ("old slide.TIF", False), ("a.mp4", False)])
def test_only_what_a_camera_took_is_dated(store: CaseStore, tmp_path: Path, source: str, dated: bool) -> None:
    """Of a stored picture the store knows when it was added."""
    frame = make_frame(300, 340, level=90, source=source)
    root, _ = ome_of(store, frame, make_cell(frame=source))
    assert (root.find(f".//{{{OME}}}AcquisitionDate") is not None) is dated
    write_report(store, "A-1", tmp_path / "report.pdf")
    last = PdfReader(tmp_path / "report.pdf").pages[-1].extract_text()
    assert ("captured 20" in last, "added 20" in last) == (dated, not dated)


def test_a_scale_that_nobody_stated_is_said_to_be_estimated(store: CaseStore, tmp_path: Path) -> None:
    root, tags = ome_of(store, make_frame(300, 340, level=225), replace(make_cell(), um_per_px=0.0382))
    assert not any("PhysicalSize" in name for name in next(root.iter(f"{{{OME}}}Pixels")).attrib)
    assert int(tags["ResolutionUnit"].value) == 1  # no unit, hence no scale
    assert scale_of(replace(make_cell(), um_per_px=NOMINAL_UM_PER_PX)).endswith("0.065 µm per pixel supposed")
    told = "about 0.038 µm per pixel, estimated from the chromosomes' size"
    assert str(root.findtext(f".//{{{OME}}}Description")).endswith(told)
    store.capture("A-1", make_frame(300, 340, level=230), make_cell(um_per_px=0.05), "kim")
    write_report(store, "A-1", tmp_path / "report.pdf")
    *_, found, stated = (page.extract_text().replace("\n", " ") for page in PdfReader(tmp_path / "report.pdf").pages)
    assert told in found
    assert "  0.05 µm per pixel" in stated
    assert "estimated" not in stated


@pytest.mark.parametrize(("fluorescent", "light"), [(False, "bright field"), (True, "fluorescence")])
def test_the_ome_channel_says_the_light(store: CaseStore, fluorescent: bool, light: str) -> None:
    pixels = draw_metaphase(1).pixels
    frame = Frame(255 - pixels if fluorescent else pixels, 0, 0.0, "a.png")
    root, _ = ome_of(store, frame, make_cell())
    assert [channel.get("Name") for channel in root.iter(f"{{{OME}}}Channel")] == [light]


def test_the_report(store: CaseStore, tmp_path: Path) -> None:
    head = write_report(store, "A-1", tmp_path / "out" / "report.pdf")
    assert head == store.head().sha256
    pages = [page.extract_text() for page in PdfReader(tmp_path / "out" / "report.pdf").pages]
    assert len(pages) == 4
    summary = pages[0].replace("\n", " ")
    for text in (
        "Case A-1",
        "no clone: cells 1 and 2 stand apart",
        "3 cells captured, 0 counted; apart: cells 1 and 2; set aside: cell 3",
        "PROVISIONAL: a person has yet to review cell 2, or chromosomes in it.",
        "+21",
        f"head {head}",
        "Signature",
    ):
        assert text in summary
    assert all(NOTICE in page for page in pages)
    assert "47,XX,+21" in pages[1]
    assert "Provisional: 3 of 47 chromosomes not yet reviewed" in pages[2]
    assert "possible trisomy 7" in pages[2]
    assert "Set aside, not counted: two spreads" in pages[3]
    assert not any("no person has reviewed" in page for page in pages)
    assert [len(page.images) for page in PdfReader(tmp_path / "out" / "report.pdf").pages] == [0, 2, 2, 2]


@pytest.mark.parametrize("name", ["Łódź 7", "病例 7", "Ж-7"])
def test_a_report_for_any_name(store: CaseStore, tmp_path: Path, name: str) -> None:
    store.new_case(name, "Łucja")
    store.capture(name, make_frame(300, 340), make_cell(frame="métaphase.png"), "Łucja")
    write_report(store, name, tmp_path / "report.pdf")
    pages = [page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages]
    assert len(pages) == 2
    written = name.replace("病例", "[U+75C5][U+4F8B]")  # letters that the font lacks
    assert all(f"Case {written}" in page for page in pages)
    assert "PROVISIONAL: a person has yet to review cell 1," in pages[0]  # nobody has seen to it
    assert re.search(r"46\s+all\s+-\s+-\s+yes", pages[0])
    assert "Provisional: no person has reviewed this cell yet" in pages[1]


def test_hebrew_and_arabic_run_from_the_right_in_the_report() -> None:
    """fpdf2 writes letters from the left, as they come: a name would stand there backwards."""
    name = "קרן לוי"
    page = Page(FPDF(), name)
    page.paper.add_page()
    page.type(8)
    assert page.laid(f"Case {name} (S24-117)", WIDTH_MM) == f"Case {name[::-1]} (S24-117)"
    assert page.shortened(f"Case {name} (S24-117)", WIDTH_MM) == f"Case {name[::-1]} (S24-117)"
    assert page.laid("مريم (2), kim", WIDTH_MM) == f"(2) {'مريم'[::-1]}, kim"
    first, last = page.laid(f"{name} {name}", page.paper.get_string_width(name) + 5).split("\n")
    assert first == last == name[::-1]


def test_a_term_of_a_karyotype_is_never_parted_in_the_report(store: CaseStore, tmp_path: Path) -> None:
    """-1 at the end of a line and 3 on the next one would be another karyotype."""
    store.new_case("S1", "kim")
    state = store.capture("S1", make_frame(300, 340), make_cell(), "kim")
    for id in range(0, 44, 2):
        state = store.edit(state.id, Mark(id, "derivative"), based_on=state.revision, actor="kim")
    write_report(store, "S1", tmp_path / "report.pdf")
    pages = PdfReader(tmp_path / "report.pdf").pages
    for page in (pages[0], pages[-1]):
        assert state.karyotype in page.extract_text().replace(",\n", ",")


def test_accents_that_were_written_apart_are_no_letters(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As macOS writes file names, and on a board without wide fonts."""
    monkeypatch.setattr("edge.cases.report.page._WIDE_FONTS", tmp_path)
    name = unicodedata.normalize("NFD", "Jiří Müller")
    store.new_case(name, "kim")
    write_report(store, name, tmp_path / "report.pdf")
    assert "Case Jirí Müller" in PdfReader(tmp_path / "report.pdf").pages[0].extract_text()


def test_a_long_name_leaves_the_page_number_its_place(store: CaseStore, tmp_path: Path) -> None:
    store.new_case("W" * 100, "kim")
    write_report(store, "W" * 100, tmp_path / "report.pdf")
    (page,) = (page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    assert re.search(r"Case W{20,60}\.\.\.\s*page 1 of 1", page)


def test_the_page_that_is_signed_names_the_whole_case_and_its_karyotype(store: CaseStore, tmp_path: Path) -> None:
    """A line at the foot of the page has no room for a long name, and two may begin alike."""
    name = "Murphy-O'Sullivan, twin B, second sample, sent again after the first one failed, of 3 March"
    store.new_case(name, "kim")
    for level in range(180, 220):
        store.capture(name, make_frame(300, 340, level=level), make_cell(), "kim")
    write_report(store, name, tmp_path / "report.pdf")
    pages = [page.extract_text().replace("\n", " ") for page in PdfReader(tmp_path / "report.pdf").pages]
    (signed,) = (k for k, page in enumerate(pages) if "Signature" in page)
    assert signed > 0
    assert f"Case {name}: 46,XX[40] (provisional)" in pages[signed]


def test_a_cell_that_is_set_aside_says_so_once(store: CaseStore, tmp_path: Path) -> None:
    state = store.cells("A-1")[1]
    store.edit(state.id, SetAside("two spreads"), based_on=0, actor="lee")
    write_report(store, "A-1", tmp_path / "report.pdf")
    page = PdfReader(tmp_path / "report.pdf").pages[2].extract_text()
    assert page.count("two spreads") == 1
    assert "possible trisomy 7" in page


def test_a_case_leaves_whatever_names_and_reasons_it_was_given(store: CaseStore, tmp_path: Path) -> None:
    """Before names were checked: a Latin-1 terminal's, half an emoji, what XML does not know."""
    store.new_case("S1", "kim")
    with unchecked():
        cell = make_cell(review=[3], frame="b\x01\nFl\udce4che.jpg")
        id = store.capture("S1", make_frame(300, 340), cell, "kim").id
        store.edit(id, SetAside("a\ud83d" + "x" * 40_000), based_on=0, actor="kim")
    out = tmp_path / "out"
    assert len(write_case(store, "S1", out, EVERY_FORM).paths) == 8
    with tifffile.TiffFile(out / "001.ome.tiff") as tiff:
        assert tiff.ome_metadata is not None
        validate_xml(tiff.ome_metadata)
    (row,) = csv.DictReader(io.StringIO((out / "cells.csv").read_text("utf-8-sig")))
    (told,) = json.loads((out / "case.json").read_text())["cells"]
    assert row["frame"] == told["frame"] == r"b\x01\nFl\udce4che.jpg"
    assert row["set_aside"] == told["set_aside"] == told["edits"][0]["reason"] == r"a\ud83d" + "x" * 40_000
    write_report(store, "S1", tmp_path / "report.pdf")
    assert r"b\x01\nFl\udce4che.jpg" in PdfReader(tmp_path / "report.pdf").pages[1].extract_text()


def test_a_case_without_cells(store: CaseStore, tmp_path: Path) -> None:
    store.new_case("empty", "kim")
    write_report(store, "empty", tmp_path / "report.pdf")
    assert "no cell to count yet" in PdfReader(tmp_path / "report.pdf").pages[0].extract_text()
    assert write_case(store, "empty", tmp_path, ("json", "csv", "corrections")).cells == 0


def test_an_archive_where_no_temporary_file_can_be_is_refused(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where ``tempfile`` finds no folder that takes anything."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with pytest.raises(SinkError, match=r"cannot write temporary files: .*; free some space there"):
        zipped_case(store, "A-1")


def test_all_of_it_in_one_archive(store: CaseStore, tmp_path: Path) -> None:
    """What ``case export`` writes when it is asked for nothing in particular."""
    assert set(EVERY_FORM) == set(Form)
    write_case(store, "A-1", tmp_path / "out", tuple(Form))
    with zipped_case(store, "A-1") as file, zipfile.ZipFile(file) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert found == {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in files}


def test_two_cases_do_not_share_a_folder(store: CaseStore, tmp_path: Path) -> None:
    store.new_case("B-2", "kim")
    store.capture("B-2", make_frame(300, 340), make_cell(), "kim")
    for form in EVERY_FORM:
        write_case(store, "A-1", tmp_path / form, (form,))
        before = sorted((tmp_path / form).rglob("*"))
        with pytest.raises(SinkError, match="expected a folder without another case's files, it has those of A-1"):
            write_case(store, "B-2", tmp_path / form, (form,))
        assert sorted((tmp_path / form).rglob("*")) == before
        write_case(store, "A-1", tmp_path / form, (form,))
    (tmp_path / "json" / "case.txt").unlink()  # as earlier versions wrote it
    with pytest.raises(SinkError, match="it has those of A-1"):
        write_case(store, "B-2", tmp_path / "json", EVERY_FORM)


def test_a_case_of_the_same_name_in_another_store_is_another(store: CaseStore, tmp_path: Path) -> None:
    write_case(store, "A-1", tmp_path / "out", EVERY_FORM)
    before = (tmp_path / "out" / "cells.csv").read_text()
    with CaseStore(tmp_path / "other") as other:
        case = other.new_case("A-1", "lee")
        assert case.opened_utc != store.case("A-1").opened_utc
        with pytest.raises(SinkError, match="it has the files of another case A-1, of 20"):
            write_case(other, "A-1", tmp_path / "out", EVERY_FORM)
    assert (tmp_path / "out" / "cells.csv").read_text() == before


@pytest.mark.parametrize("name", ["cells.csv", "chromosomes.csv", "case.json", "corrections"])
def test_files_of_something_else_are_not_replaced(store: CaseStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).mkdir() if name == "corrections" else (tmp_path / "out" / name).write_text("precious")
    with pytest.raises(SinkError, match=rf"it has a {name}, and nothing says of which case; name another folder"):
        write_case(store, "A-1", tmp_path / "out", EVERY_FORM)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_what_is_set_aside_says_so(store: CaseStore) -> None:
    third = store.cell_number("A-1", 3)
    assert "set aside: two spreads" in ome_xml(store.frame(third.id), third)
    assert third.findings[0] == "provisional: this cell is set aside: two spreads"
    doubtful = store.capture("A-1", make_frame(300, 340, level=230), make_cell(review=[1]), "lee")
    assert waiting(doubtful) == "1"
    assert waiting(store.edit(doubtful.id, SetAside("two spreads"), based_on=0, actor="lee")) == ""


def test_a_cell_that_nobody_has_seen_is_all_to_review() -> None:
    assert to_review(edited(captured())) == 46  # the machine is sure of all of it
    assert to_review(edited(captured(review=[3, 5]))) == 2
    assert to_review(edited(captured(review=[3, 5]), Accept((3, 5)))) == 0
    assert to_review(edited(captured(), SetAside("two spreads"))) == 0


def test_whose_edits_were_undone_is_no_editor(store: CaseStore) -> None:
    first = store.cell_number("A-1", 1)
    store.edit(first.id, Exclude(7), based_on=first.revision, actor="lee")
    assert editors(store.cell(first.id)) == ("kim", "lee")
    assert editors(store.undo(first.id, based_on=first.revision + 1, actor="lee")) == ("kim",)
