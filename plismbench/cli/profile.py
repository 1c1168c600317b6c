"""``plismbench profile``."""

from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import COMPILING, deliver, say
from plismbench.reporting.printing import TableFormat

EXAMPLES = "plismbench profile --model color-stats,hed-stats\n\nplismbench profile --model h0-mini --batch-size auto"


def profile(
    model: Annotated[list[str], typer.Option(help="Model to measure, or timm:NAME; may be repeated.")],
    device: options.Device = "auto",
    precision: options.OfForwardPass = None,
    batch_size: options.BatchSize = None,
    compiled: options.Compiled = False,
    _trust_remote_code: options.TrustRemoteCode = False,
    tiles: Annotated[int, typer.Option(min=1, help="How many tiles are timed, at least.")] = 256,
    table_format: options.Format = TableFormat.TABLE,
) -> None:
    """Measure models side by side on synthetic tiles: tiles a second, memory, parameters."""
    from plismbench.extractors import registry

    specs = [registry.get(name) for name in options.split_commas(model)]

    from plismbench.extraction.profiling import profile_model
    from plismbench.extractors.inference.extractor import default_device, default_precision
    from plismbench.reporting.efficiency import profile_parts

    if device == "auto":
        device = default_device()
    if compiled:
        say(COMPILING)
    costs = []
    for spec in specs:
        costs.append(
            profile_model(
                spec,
                device=device,
                precision=precision or default_precision(spec, device),
                batch_size=options.batch_size_on(device, batch_size),
                compiled=compiled,
                n_tiles=tiles,
            )
        )
        say(f"{spec.name}: measured on {costs[-1].n_tiles} tiles.")
    deliver(profile_parts(costs, table_format))
