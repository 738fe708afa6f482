"""Whether a model is ready for the Edge TPU (Coral). The compiler is not on every machine, so its conditions are
checked here; where ``edgetpu_compiler`` is on PATH, it runs too.

Its conditions: "TensorFlow models on the Edge TPU", coral.ai/docs/edgetpu/models-intro. An operator outside the lists
does no harm to the others: the compiler leaves it, and all that follows, to the processor. A model that is not wholly
static and of integers it refuses.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge.runtime.bundle import BUNDLE_FILE
from trainer.errors import ExportError
from trainer.export.flat import FlatModel, Operator, read_flat
from trainer.files import write_atomic

COMPILER = "edgetpu_compiler"
COMPILE_S = 600
MOST_BYTES = 8 << 20
"""The size of the chip's memory; what exceeds it is fetched over USB for every picture."""
MAPPED = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "MAX_POOL_2D": 2,
    "FULLY_CONNECTED": 4,
    "SOFTMAX": 2,
    "LOGISTIC": 2,
    "CONCATENATION": 2,
    "RESHAPE": 1,
    "QUANTIZE": 2,
}
"""Operators, with the highest version, that compiled models were seen to compute on the chip."""
NEEDED = ("integers", "shapes", "subgraphs")
"""Checks that must pass, or the compiler refuses a model as a whole."""
CONDITIONAL = {
    "RESIZE_NEAREST_NEIGHBOR": "mapped or not depending on its sizes, says Coral",
    "RESIZE_BILINEAR": "mapped or not depending on its sizes, says Coral",
    "MUL": "mapped only in part, as seen in compiled models",
    "PAD": "documented, never seen mapped here",
    "MEAN": "documented, never seen mapped here",
    "TRANSPOSE_CONV": "documented, never seen mapped here",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; ``detail`` says what was found, and what would mend it if it is in the way."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far into a model the chip surely goes: ``mapped`` of its ``operators``, with ``macs_share`` (0..1) of its
    multiply-accumulates; ``left`` is the first operator after them, "" where none is left."""

    mapped: int
    operators: int
    macs_share: float
    left: str

    def __str__(self) -> str:
        if not self.left:
            return f"all {self.operators} operators"
        return (
            f"the first {self.mapped} of {self.operators} operators, {self.macs_share:.0%} of the arithmetic; "
            f"from {self.left} on the processor"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    findings: tuple[Finding, ...]
    operators: dict[str, int]
    """How often each operator (with its version) stands in the model."""
    reach: Reach
    compiler: str
    """The compiler's words, or that it is not here."""
    compiled: bytes = field(default=b"", repr=False)
    """The compiled model; empty where the compiler is not here."""

    @property
    def ready(self) -> bool:
        """Whether the chip surely computes all of it."""
        return all(finding.ok for finding in self.findings)

    @property
    def compilable(self) -> bool:
        """Whether the compiler takes it, even if some of it stays with the processor."""
        return all(finding.ok for finding in self.findings if finding.check in NEEDED)

    @property
    def in_the_way(self) -> str:
        return "; ".join(f"{f.check}: {f.detail}" for f in self.findings if not f.ok)


def check(tflite: bytes) -> Verdict:
    """The verdict on a model, without the compiler."""
    flat = read_flat(tflite)
    findings = [
        *_operators(flat.operators),
        _integers(flat),
        _static(flat),
        Finding("subgraphs", flat.subgraphs == 1, f"{flat.subgraphs} (one is taken)"),
        _dense(flat.operators),
        Finding("size", flat.bytes < MOST_BYTES, f"{flat.bytes} bytes (less than {MOST_BYTES})"),
    ]
    kinds = [f"{op.name} v{op.version}" for op in flat.operators]
    counts = {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    return Verdict(tuple(findings), counts, _reach(flat.operators), f"{COMPILER} is not on PATH; not compiled")


def _reach(operators: tuple[Operator, ...]) -> Reach:
    surely = (op.version <= MAPPED.get(op.name, 0) for op in operators)
    mapped = sum(1 for _ in itertools.takewhile(bool, surely))
    macs = [op.macs for op in operators]
    left = f"{operators[mapped].name} v{operators[mapped].version}" if mapped < len(operators) else ""
    return Reach(mapped, len(operators), sum(macs[:mapped]) / max(1, sum(macs)), left)


def _operators(operators: tuple[Operator, ...]) -> list[Finding]:
    findings = []
    kinds = [(op.name, op.version) for op in operators]
    for name, version in sorted(set(kinds)):
        count = f"{kinds.count((name, version))} x"
        if name in CONDITIONAL:
            finding = Finding(f"{name} v{version}", False, f"{count}; {CONDITIONAL[name]}")
        elif name not in MAPPED:
            finding = Finding(f"{name} v{version}", False, f"{count}; not an operator of the Edge TPU")
        elif version > MAPPED[name]:
            finding = Finding(f"{name} v{version}", False, f"{count}; seen mapped up to version {MAPPED[name]}")
        else:
            finding = Finding(f"{name} v{version}", True, count)
        findings.append(finding)
    return findings


def _integers(flat: FlatModel) -> Finding:
    real = [t for t in flat.tensors if t.dtype.startswith("FLOAT")]
    wide = [t for t in (*flat.inputs, *flat.outputs) if t.dtype not in ("INT8", "UINT8")]
    if real:
        return Finding("integers", False, f"{len(real)} float tensors, such as {real[0].name}; export with --int8")
    if wide:
        return Finding("integers", False, f"{wide[0].name} is {wide[0].dtype}, not 8 bits; export with --int8")
    return Finding("integers", True, "8-bit in and out, no float tensor")


def _static(flat: FlatModel) -> Finding:
    opened = [t for t in flat.tensors if -1 in t.signature]
    if opened:
        return Finding("shapes", False, f"{len(opened)} of open shape, such as {opened[0].name} {opened[0].signature}")
    batches = {t.shape[0] for t in (*flat.inputs, *flat.outputs) if t.shape}
    return Finding("shapes", batches == {1}, f"static, batch {', '.join(map(str, sorted(batches)))} (1 is taken)")


def _dense(operators: tuple[Operator, ...]) -> Finding:
    many = [op for op in operators if op.name == "FULLY_CONNECTED" and op.inputs[1].scales > 1]
    detail = f"{many[0].inputs[1].name} has a scale a channel" if many else "dense layers per tensor"
    return Finding("dense", not many, detail)


def require_ready(tflite: bytes, bundle: Path) -> Verdict:
    """Prints the verdict on the model of a ``bundle``, with the compiler's where it is installed and its conditions are
    met. ``ExportError`` if the chip surely takes neither all of it nor, by the compiler's word, some."""
    verdict = check(tflite)
    if verdict.compilable:
        verdict = compiled(tflite, verdict)
    print_verdict(verdict, f"{bundle.name}: ready for the Edge TPU?")
    if not (verdict.ready or verdict.compiled):
        raise ExportError(f"{bundle} is not ready for the Edge TPU: {verdict.in_the_way}")
    return verdict


def compiled(tflite: bytes, verdict: Verdict) -> Verdict:
    """The verdict with the compiler's own words and what it made; unchanged where there is no compiler. ``ExportError``
    if the compiler fails."""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        return verdict
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(tflite)
        command = [compiler, "--show_operations", "--out_dir", folder, str(model)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExportError(f"{compiler} cannot be run: {error}") from error
        made = Path(folder) / f"{model.stem}_edgetpu.tflite"
        said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
        if done.returncode or not made.exists():
            last = said.splitlines()[-1] if said else f"exit code {done.returncode}"
            raise ExportError(f"{COMPILER} refuses the model: {last}")
        return replace(verdict, compiler=said, compiled=made.read_bytes())


def keep_compiled(verdict: Verdict, model: Path) -> None:
    """Writes what the compiler made, if anything, as ``<model>_edgetpu.tflite`` beside the ``model`` of a bundle, and
    names it there with its hash. ``OSError`` if it cannot be written."""
    if not verdict.compiled:
        return
    made, bundle = model.with_name(f"{model.stem}_edgetpu.tflite"), model.with_name(BUNDLE_FILE)
    write_atomic(made, verdict.compiled)
    fields = json.loads(bundle.read_bytes())
    named = {"model": made.name, "sha256": hashlib.sha256(verdict.compiled).hexdigest()}
    fields["compiled"] = fields.get("compiled", {}) | {"edgetpu": named}
    write_atomic(bundle, (json.dumps(fields, indent=2) + "\n").encode())


def print_verdict(verdict: Verdict, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "ready", "found", title=title, title_justify="left")
    for finding in verdict.findings:
        table.add_row(finding.check, "yes" if finding.ok else "NO", finding.detail)
    table.add_row("all", "yes" if verdict.ready else "NO", verdict.compiler.splitlines()[-1])
    Console().print(table)
    print(f"on the Edge TPU: {verdict.reach}")
