"""A cell as OME-TIFF: the frame, and every chromosome as a region of interest that OMERO, QuPath and Fiji show.

A scale that nobody stated is not written as a physical size, by which programs would measure, but in the description.
Each counted chromosome is an ROI named after it, ``8`` or ``der(9)``: the outline of its mask, a polygon a piece, and
its centre line. Schema 2016-06 of the Open Microscopy Environment.
"""

from __future__ import annotations

import io
import re
from typing import Any
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.files import is_of_file
from edge.cases.export import scale_of
from edge.cases.places import Placed
from edge.cases.state import CellState
from edge.cell.drawing import STATUS_COLOUR, Colour
from edge.errors import ConfigError
from edge.locate.field import is_fluorescent
from edge.records import Frame, Region

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_NAMES_OF_STORES = UUID("4c8b8a8e-6d4b-4c69-9d1e-6368726f6d6f")
_ASIDE = re.compile(r"<Description>[^<]*, cell \d+: [^;<]*; set aside: ")


def is_set_aside(description: str) -> bool:
    """Whether the ``description`` of a TIFF is that of a cell that was set aside, as ``ome_xml`` writes it."""
    return OME in description and _ASIDE.search(description) is not None


def ome_tiff(frame: Frame, state: CellState) -> bytes:
    """The file's bytes. Raises ``ConfigError`` where tifffile is not installed."""
    try:
        import tifffile
    except ImportError as error:
        raise ConfigError("OME-TIFF needs tifffile; in the project's folder: pip install -e '.[cases]'") from error
    buffer = io.BytesIO()
    cell = state.captured.cell
    per_cm = 1e4 / cell.um_per_px
    resolution: dict[str, Any] = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(buffer, ome=False) as tiff:
        tiff.write(
            frame.pixels,
            photometric="minisblack",
            description=ome_xml(frame, state).encode("utf-8"),
            metadata=None,
            software="chromo-edge",
            **(resolution if cell.scale_stated else {}),
        )
    return buffer.getvalue()


def ome_xml(frame: Frame, state: CellState) -> str:
    """The OME-XML of one plane with its regions."""
    captured, cell = state.captured, state.captured.cell
    height, width = frame.pixels.shape
    name = uuid5(_NAMES_OF_STORES, f"{captured.frame_sha256}/{captured.case}/{captured.number}/{state.revision}")
    root = ET.Element(
        "OME",
        {
            "xmlns": OME,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{OME} {OME}/ome.xsd",
            "UUID": f"urn:uuid:{name}",
            "Creator": "chromo-edge",
        },
    )
    image = ET.SubElement(root, "Image", ID="Image:0", Name=cell.frame)
    if not is_of_file(cell.frame):  # of a file nobody knows when it was taken
        ET.SubElement(image, "AcquisitionDate").text = captured.captured_utc[:19]
    what = f"{captured.case}, cell {captured.number}: {state.karyotype}"
    if state.set_aside:
        what = f"{what}; set aside: {state.set_aside}"
    ET.SubElement(image, "Description").text = what if cell.scale_stated else f"{what}; {scale_of(cell)}"
    pixels = ET.SubElement(
        image,
        "Pixels",
        {
            "ID": "Pixels:0",
            "DimensionOrder": "XYCZT",
            "Type": "uint8",
            **{"SizeX": str(width), "SizeY": str(height), "SizeC": "1", "SizeZ": "1", "SizeT": "1"},
            **(_physical_size(cell.um_per_px) if cell.scale_stated else {}),
        },
    )
    light, method = ("fluorescence", "Fluorescence") if is_fluorescent(frame) else ("bright field", "Brightfield")
    ET.SubElement(pixels, "Channel", ID="Channel:0:0", Name=light, SamplesPerPixel="1", ContrastMethod=method)
    ET.SubElement(pixels, "TiffData", IFD="0", PlaneCount="1")
    for k in range(len(state.counted)):
        ET.SubElement(image, "ROIRef", ID=f"ROI:{k}")
    for k, place in enumerate(state.counted):
        _add_roi(root, k, place)
    return '<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(root, encoding="unicode")


def _physical_size(um_per_px: float) -> dict[str, str]:
    size = f"{um_per_px:g}"
    return {"PhysicalSizeX": size, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": size, "PhysicalSizeYUnit": "µm"}


def _add_roi(root: ET.Element, k: int, place: Placed) -> None:
    own = place.chromosome
    roi = ET.SubElement(root, "ROI", ID=f"ROI:{k}", Name=place.name)
    union = ET.SubElement(roi, "Union")
    shape = {"StrokeColor": str(_signed(STATUS_COLOUR[own.status])), "StrokeWidth": "1", "Text": place.name}
    for n, outline in enumerate(_outlines(own.region)):
        ET.SubElement(union, "Polygon", {"ID": f"Shape:{k}:{n}", **shape, "Points": _points(outline)})
    ET.SubElement(union, "Polyline", {"ID": f"Shape:{k}:axis", **shape, "Points": _points(own.region.axis_px)})
    sure = "a person's" if place.edited else f"{own.confidence:.3f}"
    ET.SubElement(roi, "Description").text = f"chromosome {place.id}, {own.status}, confidence {sure}"


def _outlines(region: Region) -> list[npt.NDArray[np.float32]]:
    """The mask's outlines (n, 2), as (x, y) in the frame's pixels; pixel (i, j) reaches from x = j to j + 1 and from
    y = i to i + 1. The outline of an empty mask is its box."""
    x0, y0, x1, y1 = region.box_px
    # OpenCV goes through the middles of the rim's pixels: with quarter pixels that is an eighth inside the true edge.
    fine = np.kron(region.mask.astype(np.uint8), np.ones((4, 4), np.uint8))
    found, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    lines = [((contour[:, 0] + 0.5) / 4 + (x0, y0)).astype(np.float32) for contour in found]
    return lines or [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)]


def _points(line: npt.NDArray[np.float32]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}".replace(".0", "") for x, y in line)


def _signed(colour: Colour) -> int:
    """OME writes RGBA as a signed 32-bit number."""
    return int.from_bytes((*colour, 255), "big", signed=True)
