"""``plismbench extract``."""

from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import progress, say, show
from plismbench.described import find_dataset
from plismbench.extractors.spec import Pooling, Precision
from plismbench.tiles import SourceKind
from plismbench.workspace import Existing, Workspace

EXAMPLES = "plismbench extract --model h0-mini\n\nplismbench extract --model color-stats --dataset demo"


def extract(
    root: options.Root,
    model: Annotated[
        list[str],
        typer.Option(
            help="Model to run; may be repeated. `plismbench models` lists them; also NAME@SIZE, timm:NAME,"
            " hf-hub:ORG/REPO, ./my-model.toml, ./my_model.py:load."
        ),
    ],
    dataset: options.Dataset = "plism",
    slides: options.Slides = None,
    stainings: options.Stainings = None,
    scanners: options.Scanners = None,
    excluded: options.ExcludedSlides = None,
    source: Annotated[
        SourceKind, typer.Option(help="Where PLISM is read; auto: the disk if all slides are there, else the Hub.")
    ] = SourceKind.AUTO,
    pooling: Annotated[
        Pooling | None, typer.Option(help="Of the tokens; another than the model's own is kept as NAME+POOLING.")
    ] = None,
    device: options.Device = "auto",
    trust_remote_code: options.TrustRemoteCode = False,  # noqa: ARG001 - its callback acts
    precision: Annotated[
        Precision | None, typer.Option(help="The model's own on a GPU, fp32 on a CPU, if left out.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Tiles in a forward pass; 128 on a GPU, 32 on a CPU, if left out.")
    ] = None,
    existing: options.OnExisting = Existing.SKIP,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take; loads the model to time it on noise.")
    ] = False,
) -> None:
    """Embed the tiles of a data set with a model; finished slides are kept, so it goes on where it stopped."""
    from plismbench.extractors import registry

    registered = find_dataset(dataset)
    chosen = registered.select(*map(options.split_commas, (slides, stainings, scanners, excluded)))
    specs = [registry.get(name, pooling) for name in options.split_commas(model)]

    from plismbench.execution.local import LocalExecutor
    from plismbench.extraction import estimate_extraction, plan_extraction
    from plismbench.extractors.extractor import default_batch_size, default_device, default_precision
    from plismbench.extractors.pinning import pinned
    from plismbench.reporting.printing import duration, size
    from plismbench.tiles import tile_source

    workspace = Workspace(root, registered.name)
    chosen_source = tile_source(registered, workspace, chosen, source)
    if device == "auto":
        device = default_device()
    for named in specs:
        spec = pinned(named)  # other weights have another fingerprint
        plan = plan_extraction(
            spec,
            chosen_source.tiles,
            chosen,
            workspace,
            device=device,
            precision=precision or default_precision(spec, device),
            batch_size=batch_size or default_batch_size(device),
            existing=existing,
        )
        if dry_run:
            n_tiles = len(plan.slides) * registered.tiles_per_slide
            estimate = estimate_extraction(
                spec, n_tiles, device=device, precision=plan.precision, batch_size=plan.batch_size
            )
            show(
                f"{spec.name}: {len(plan.slides)} slides to do, {len(plan.skipped)} there; {chosen_source.origin}.\n"
                f"  fetch    {size(n_tiles * chosen_source.tile_bytes)}\n"
                f"  compute  {duration(estimate.seconds)} at {estimate.tiles_per_second:,.1f} tiles/s"
                f" on {device} in {plan.precision}\n"
                f"  write    {size(estimate.written)} to {plan.store.folder}"
            )
            continue
        if plan.skipped:
            say(f"{spec.name}: {len(plan.skipped)} of {len(chosen)} slides are there already.")
        if not plan.slides:
            say(f"{spec.name}: nothing to do.")
            continue
        say(
            f"{spec.name}: {len(plan.slides)} slides of {registered.name}, {chosen_source.origin},"
            f" on {device} in {plan.precision}."
        )
        with progress(spec.name, len(plan.slides) * registered.tiles_per_slide, "tiles") as advance:
            for _ in plan.run(LocalExecutor(), advance):
                pass
        say(f"{spec.name}: wrote {plan.store.folder}")
