"""``plismbench models``, ``models show``, ``models check``."""

from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import deliver, say
from plismbench.reporting.printing import TableFormat
from plismbench.workspace import check_record

EXAMPLES = "plismbench models\n\nplismbench models --format json"

app = typer.Typer(rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Model; as `plismbench extract --model` takes it.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, table_format: options.Format = TableFormat.TABLE) -> None:
    """List what is registered: built-in, from a plug-in, or broken and why; or look at one."""
    if context.invoked_subcommand is not None:
        return
    from plismbench.extractors import registry
    from plismbench.reporting.models import models_parts

    deliver(models_parts(registry.registered(), table_format))


@app.command(name="show", epilog="plismbench models show virchow2\n\nplismbench models show conch@448 --format json")
def show_model(name: Name, table_format: options.Format = TableFormat.TABLE) -> None:
    """Print every field of a model."""
    from plismbench.extractors import registry
    from plismbench.reporting.models import spec_parts

    deliver(spec_parts(registry.get(name), table_format))


@app.command(epilog="plismbench models check color-stats\n\nplismbench models check h0-mini --device cuda --record")
def check(
    root: options.Root,
    name: Name,
    device: options.Device = "auto",
    _trust_remote_code: options.TrustRemoteCode = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Keep the vectors of a few demo tiles, for later checks to compare with."),
    ] = False,
    table_format: options.Format = TableFormat.TABLE,
) -> None:
    """Build a model twice and run it on demo tiles: shape, collapse, determinism, speed. Exit code 1 if wrong."""
    from plismbench.extractors import registry

    spec = registry.get(name)

    from plismbench.dataset import DEMO
    from plismbench.extraction.model_check import inspect_extractor, record_vectors
    from plismbench.extractors.inference.extractor import default_device
    from plismbench.extractors.pinning import pinned
    from plismbench.reporting.models import findings_parts
    from plismbench.tiles.demo import DemoTiles

    spec = pinned(spec)
    device = default_device() if device == "auto" else device
    batch = next(DemoTiles().batches(DEMO.default_slides[0], 32))
    path = check_record(root, spec.name)
    findings = tuple(inspect_extractor(spec, batch.pixels, device, None if record else path))
    deliver(findings_parts(findings, table_format))
    if failed := [finding.name for finding in findings if finding.passed is False]:
        say(f"{spec.name}: not as it should be: {', '.join(failed)}.")
        raise typer.Exit(1)
    if record:
        record_vectors(spec, batch.pixels, device, path)
        say(f"{spec.name}: wrote {path}")
