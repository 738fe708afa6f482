"""The edge never pulls in the trainer's world, and what must be quick to start imports nothing slow."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "trainer", "sklearn", "matplotlib")
SLOW = ("numpy", "cv2", "scipy", "PIL", "ai_edge_litert", "tflite_runtime")

IMPORT_ALL = """
import importlib, pkgutil, sys
import edge
for module in pkgutil.walk_packages(edge.__path__, "edge."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
IMPORT_CLI = "import sys, edge, edge.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_no_module_of_edge_needs_the_trainer() -> None:
    loaded = modules_after(IMPORT_ALL)
    assert "edge" in loaded
    assert "numpy" in loaded
    assert loaded.isdisjoint(FORBIDDEN)


def test_the_command_line_loads_nothing_slow() -> None:
    loaded = modules_after(IMPORT_CLI)
    assert "edge" in loaded
    assert loaded.isdisjoint((*FORBIDDEN, *SLOW))
