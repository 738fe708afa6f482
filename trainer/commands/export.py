"""``trainer export``: a run's network as a bundle, in one of its forms; ``edgetpu`` and ``weigh`` judge bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError
from trainer.commands.line import command_line
from trainer.commands.options import MODELS, Debug

if TYPE_CHECKING:
    from trainer.export.shipment import Shipment


def export_command(
    run: Annotated[Path, typer.Argument(metavar="RUNDIR", help="Run folder of a finished fit, prune or quantize.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="What it was trained on; its val split calibrates.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The bundle's folder, as in models/locator.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Integers throughout, inputs and outputs too; the default.")
    ] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Float weights and arithmetic.")] = False,
    float16: Annotated[bool, typer.Option("--float16", help="Weights in half the bits, float arithmetic.")] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="int8 weights, activations quantized on the fly.")] = False,
    int16x8: Annotated[bool, typer.Option("--int16x8", help="int16 activations, int8 weights.")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="ONNX, float and int8 Q/DQ, for TensorRT; no bundle.")] = False,
    edgetpu: Annotated[bool, typer.Option("--edgetpu", help="int8 that must be ready for the Edge TPU.")] = False,
    models: Annotated[
        Path,
        typer.Option(metavar="DIR", help="For a verifier: folder of the other models, whose finds it judges."),
    ] = MODELS,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Calibrate on N val frames or crops.")] = None,
    debug: Debug = False,
) -> None:
    """Convert a run's network, prove it against the trained one, calibrate it on val and write it as a bundle."""
    given = {"int8": int8, "float32": float32, "float16": float16, "dynamic": dynamic, "int16x8": int16x8}
    given |= {"onnx": onnx, "edgetpu": edgetpu}
    forms = [name for name, wanted in given.items() if wanted] or ["int8"]
    if len(forms) > 1:
        named = " and ".join(f"--{name}" for name in forms)
        raise ConfigError(f"{named} are {len(forms)} bundles; give one of them at a time")
    from trainer.export.ship import ship
    from trainer.export.shipment import Shipment
    from trainer.export.tflite import FORMS, Form

    of_run: dict[str, Form] = {name: name for name in FORMS} | {"onnx": "float32", "edgetpu": "int8"}
    shipment = Shipment(run, data, out, of_run[forms[0]], command_line(), models, limit)
    if onnx:
        _export_onnx(shipment)
        return
    bundle = ship(shipment)
    plain = {key: value for key, value in bundle.calibration.items() if not key.startswith("keep_")}
    calibration = ", ".join(f"{key} {value:g}" for key, value in plain.items())
    print(f"{bundle.model_path}: {len(bundle.model_bytes)} bytes; {calibration}")
    if edgetpu:
        _require_edgetpu(bundle.model_path)


def edgetpu_command(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle, as in models/classifier.")],
    debug: Debug = False,
) -> None:
    """Say whether a bundle is ready for the Edge TPU, and what is in the way; compile it where the compiler is."""
    from trainer.export.bundle import any_bundle

    _require_edgetpu(any_bundle(model).model_path)


def weigh_command(
    run: Annotated[Path, typer.Argument(metavar="RUNDIR", help="Run folder whose val crops judge.")],
    models: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Bundles of classifiers.")],
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Judge on N val crops.")] = None,
    debug: Debug = False,
) -> None:
    """Compare bundles of classifiers: accuracy on val, size, share of zeros, time for a cell."""
    from trainer.export.weigh import print_weights, weigh
    from trainer.fit_classifier import stored_crops

    print_weights(weigh(models, stored_crops(run)[1], limit))


def register(app: typer.Typer) -> None:
    app.command("export")(export_command)
    app.command("edgetpu")(edgetpu_command)
    app.command("weigh")(weigh_command)


def _export_onnx(shipment: Shipment) -> None:
    from trainer.export.onnx import ship_onnx
    from trainer.export.ship import specimen

    it = specimen(shipment)
    for parity in ship_onnx(it, shipment.out):
        print(
            f"{parity.form}: the same answer on {parity.agreement:.2%} of {parity.pictures} val pictures; "
            f"scores differ by {parity.mean_difference:.5f} on average, {parity.largest_difference:.3f} at most"
        )
    print(f"wrote {shipment.out}/{it.task}.onnx and {it.task}-qdq.onnx; trtexec --onnx builds the engine on the board")


def _require_edgetpu(model: Path) -> None:
    from trainer.errors import ExportError
    from trainer.export.edgetpu import check, compiled, print_verdict, write_verdict

    verdict = check(model.read_bytes())
    if verdict.ready:
        verdict = compiled(model, verdict)
    write_verdict(model.parent, verdict)
    print_verdict(verdict, f"{model.parent.name}: ready for the Edge TPU?")
    if not verdict.ready:
        raise ExportError(f"{model.parent} is not ready for the Edge TPU: {verdict.in_the_way}")
