"""The option ``--bfloat16`` of the commands that fit networks: cheaper arithmetic where the processor has it."""

from __future__ import annotations

from typing import Annotated

import typer

Bfloat16 = Annotated[
    bool,
    typer.Option(
        "--bfloat16/--no-bfloat16",
        help="Convolve in bfloat16: about a quarter faster, on CPUs with AVX512_BF16 or AMX.",
    ),
]


def convolve_in_bfloat16() -> None:
    """Lets convolutions compute in bfloat16 from now on in this process; weights and all else stay float32."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
