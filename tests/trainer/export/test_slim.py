"""The same network in fewer bytes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("flatbuffers", reason="the trainer's extras are not installed")

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from edge.config import default_models_dir
from edge.runtime.blocks import in_blocks
from edge.runtime.bundle import load_bundle
from edge.runtime.interpreter import Network
from trainer.export.slim import slim

SHIPPED = load_bundle(default_models_dir() / "separator", "separator").model_bytes


@pytest.fixture(scope="module")
def written_out() -> bytes:
    """The shipped separator as a converter writes it: every list on its own."""
    builder = flatbuffers.Builder(len(SHIPPED))
    builder.Finish(schema.ModelT.InitFromObj(schema.Model.GetRootAs(SHIPPED, 0)).Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_it_is_shorter_and_says_the_same(written_out: bytes) -> None:
    slimmed = slim(written_out)
    assert len(slimmed) < 0.95 * len(written_out)
    pictures = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 2), np.uint8)
    said, expected = (Network(file, threads=1).run_uint8(pictures) for file in (slimmed, written_out))
    assert expected
    for name, numbers in expected.items():
        np.testing.assert_array_equal(said[name], numbers)


def test_lists_of_zero_points_are_written_once_and_shapes_each_for_itself(written_out: bytes) -> None:
    slimmed = slim(written_out)
    graph = schema.Model.GetRootAs(slimmed, 0).Subgraphs(0)
    tensors = [graph.Tensors(k) for k in range(graph.TensorsLength())]
    points = [q.ZeroPointAsNumpy() for q in (t.Quantization() for t in tensors) if q and q.ZeroPointLength()]
    assert len({p.__array_interface__["data"][0] for p in points}) == len({p.tobytes() for p in points}) < len(points)
    shapes = [t.ShapeAsNumpy() for t in tensors if t.ShapeLength()]
    assert len({s.__array_interface__["data"][0] for s in shapes}) == len(shapes)


def test_the_edge_may_still_read_it_in_blocks(written_out: bytes) -> None:
    runtime = "ai_edge_litert.interpreter"
    assert in_blocks(written_out, runtime) is not None
    assert in_blocks(slim(written_out), runtime) is not None


def test_what_is_slim_comes_back_itself(written_out: bytes) -> None:
    slimmed = slim(written_out)
    assert slim(slimmed) is slimmed
