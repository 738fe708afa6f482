"""``trainer export``: a trained network as a bundle, in one of its forms; ``edgetpu`` judges one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from edge.errors import BundleInvalid, ConfigError
from trainer.commands.line import command_line
from trainer.commands.options import MODELS, Debug

if TYPE_CHECKING:
    from trainer.export.tflite import Form


def export_command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUNDIR",
            help="Run folder of a finished fit, prune or quantize; or a bundle, such as models/classifier.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="What it was trained on; its val split calibrates a run's network."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The bundle's folder, as in models/locator.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Integers throughout, inputs and outputs too; the default.")
    ] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Float weights and arithmetic.")] = False,
    float16: Annotated[bool, typer.Option("--float16", help="Weights in half the bits, float arithmetic.")] = False,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="int8 weights, activations quantized on the fly.")] = False,
    int16x8: Annotated[bool, typer.Option("--int16x8", help="int16 activations, int8 weights.")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="ONNX for TensorRT: int8 as Q/DQ, float beside it.")] = False,
    edgetpu: Annotated[bool, typer.Option("--edgetpu", help="int8 that the Edge TPU must take.")] = False,
    models: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of the other models: whose finds a verifier judges, which cut frames for a bundle's export.",
            show_default="the ones shipped",
        ),
    ] = MODELS,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Calibrate on N val frames or crops.")] = None,
    debug: Debug = False,
) -> None:
    """Convert a trained network, prove it against the trained one, calibrate it on val and write it as a bundle.

    A bundle in place of a run comes out in another form, with the calibration that it had.
    """
    given = {"int8": int8, "float32": float32, "float16": float16, "dynamic": dynamic, "int16x8": int16x8}
    given |= {"onnx": onnx, "edgetpu": edgetpu}
    forms = [name for name, wanted in given.items() if wanted] or ["int8"]
    if len(forms) > 1:
        named = " and ".join(f"--{name}" for name in forms)
        raise ConfigError(f"{named} are {len(forms)} bundles; give one of them at a time")
    from trainer.files import require_place

    require_place(out / "bundle.json", "--out")
    from trainer.export.ship import ship
    from trainer.export.shipment import Shipment
    from trainer.run.trained import FIGURES_FILE

    form = cast("Form | Literal['onnx']", "int8" if edgetpu else forms[0])
    bundle = ship(Shipment(run, data, out, form, command_line(), models, limit, edgetpu))
    plain = {key: value for key, value in bundle.calibration.items() if not key.startswith("keep_")}
    calibration = ", ".join(f"{key} {value:g}" for key, value in plain.items())
    print(f"{bundle.model_path}: {len(bundle.model_bytes)} bytes; {calibration}")
    report = json.loads((out / FIGURES_FILE).read_bytes())
    print(
        f"{report['form']}: the same answer on {report['parity_agreement']:.2%} of {report['parity_pictures']} val "
        f"pictures; scores differ by {report['parity_mean_difference']:.5f} on average, "
        f"{report['parity_largest_difference']:.3f} at most"
    )
    if onnx:
        print(f"{out / bundle.task}.onnx: the same in float32; trtexec --onnx builds an engine of either on the board")


def edgetpu_command(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle, as in models/classifier.")],
    debug: Debug = False,
) -> None:
    """Say whether a bundle is ready for the Edge TPU, how far it goes there, and what is in the way.

    Where edgetpu_compiler is installed it compiles what is of integers and static; the rest stays with the processor.
    """
    from trainer.export.edgetpu import keep_compiled, require_ready
    from trainer.run.trained import any_bundle

    if not model.is_dir():
        raise BundleInvalid(
            f"expected a bundle at {model}, found none; name a bundle's folder, such as models/classifier"
        )
    bundle = any_bundle(model)
    keep_compiled(require_ready(bundle.model_bytes, model), bundle.model_path)


def register(app: typer.Typer) -> None:
    app.command("export")(export_command)
    app.command("edgetpu")(edgetpu_command)
