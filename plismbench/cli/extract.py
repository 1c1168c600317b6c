"""``plismbench extract``."""

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import COMPILING, progress, say, show
from plismbench.errors import DuplicateName, InvalidInput, MissingPackage, Unavailable, words_of
from plismbench.execution.executor import ExecutorKind
from plismbench.extractors.spec import ExtractorSpec, Pooling
from plismbench.machine import n_cpus
from plismbench.own_dataset import find_dataset
from plismbench.tiles.choice import SourceKind
from plismbench.tiles.readahead import DEFAULT_WORKERS
from plismbench.workspace import Existing, Workspace

if TYPE_CHECKING:
    from plismbench.execution.executor import Executor
    from plismbench.extraction.extraction import Extraction
    from plismbench.tiles.choice import ChosenSource
    from plismbench.tiles.source import TileSource

EXAMPLES = "plismbench extract --model h0-mini\n\nplismbench extract --model color-stats --dataset demo"


def extract(
    root: options.Root,
    model: Annotated[
        list[str],
        typer.Option(
            help="Model to run; may be repeated, and the tiles are then read once for all. `plismbench models` lists"
            " them; also NAME@SIZE, timm:NAME, hf-hub:ORG/REPO, ./my-model.toml, ./my_model.py:load."
        ),
    ],
    dataset: options.Dataset = "plism",
    slides: options.Slides = None,
    stainings: options.Stainings = None,
    scanners: options.Scanners = None,
    excluded: options.ExcludedSlides = None,
    source: Annotated[
        SourceKind,
        typer.Option(
            help="Where PLISM is read; auto: the disk if all slides are there, else the Hub; tiles, h5: that layout"
            " on the disk; local: either."
        ),
    ] = SourceKind.AUTO,
    pooling: Annotated[
        Pooling | None, typer.Option(help="Of the tokens; another than the model's own is kept as NAME+POOLING.")
    ] = None,
    _trust_remote_code: options.TrustRemoteCode = False,
    device: options.Device = "auto",
    precision: options.OfForwardPass = None,
    batch_size: options.BatchSize = None,
    workers: Annotated[int, typer.Option(min=1, help="Slides that are read and decoded at once.")] = DEFAULT_WORKERS,
    compiled: options.Compiled = False,
    executor: Annotated[
        ExecutorKind, typer.Option(help="One process here; one a GPU of this machine; or a Ray cluster.")
    ] = ExecutorKind.LOCAL,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Of --executor processes or ray; one a GPU if left out, 2 or one a node on CPUs."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray cluster, such as auto; one is started here if left out.")
    ] = None,
    existing: options.OnExisting = Existing.SKIP,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only say what it would take; last, it fetches and loads the model to time it on noise."
        ),
    ] = False,
) -> None:
    """Embed the tiles of a data set with a model; finished slides are kept, so it goes on where it stopped."""
    from plismbench.extractors import registry

    registered = find_dataset(dataset)
    chosen = registered.select(*map(options.split_commas, (slides, stainings, scanners, excluded)))
    names = options.split_commas(model)
    specs = [registry.get(name, pooling) for name in names]
    _refuse_one_name_for_two(specs)

    from plismbench.embeddings.manifest import known_commits
    from plismbench.extraction.extraction import extract_together, plan_extraction
    from plismbench.extractors.inference.extractor import default_device, default_precision
    from plismbench.extractors.pinning import pinned
    from plismbench.tiles.choice import tile_source

    workspace = Workspace(root, registered.name)
    stores = [*workspace.extracted(), *(workspace.embeddings(spec.name) for spec in specs)]  # theirs count most
    chosen_source = tile_source(registered, workspace, chosen, source, known_commits(stores))
    if device == "auto":
        device = default_device()
    plans = []
    for name, named in zip(names, specs, strict=True):
        spec = pinned(named)  # other weights have another fingerprint
        plan = plan_extraction(
            spec,
            chosen_source,
            chosen,
            workspace,
            device=device,
            precision=precision or default_precision(spec, device),
            batch_size=options.batch_size_on(device, batch_size),
            existing=existing,
            model_option=registry.absolute_choice(name),
        )
        if dry_run:
            _show_needs(plan, chosen_source, len(plan.slides) * registered.tiles_per_slide)
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
        plans.append(plan)
    if not plans:
        return
    crew = _executor(executor, device, processes, address)
    threads = max(1, n_cpus() // crew.n_workers) if executor is ExecutorKind.PROCESSES else None
    title = ", ".join(plan.spec.name for plan in plans)
    n_slides = sum(len(plan.slides) for plan in plans)
    if compiled:
        say(COMPILING)
    # Whatever its log level, Ray prints a paragraph on stdout for each worker that is lost: ours is one line.
    beside = StringIO() if executor is ExecutorKind.RAY else sys.stderr
    with progress(title, n_slides * registered.tiles_per_slide, "tiles") as advance, redirect_stdout(beside):
        done = extract_together(plans, crew, advance, workers=workers, compiled=compiled, threads=threads)
        fitted = {slide.efficiency.extractor: slide.fitted_positions for slide in done}
    for plan in plans:
        if how := fitted.get(plan.spec.name):
            say(f"{plan.spec.name}: position embeddings were resampled, {how}.")
        say(f"{plan.spec.name}: wrote {plan.store.folder}")


def _refuse_one_name_for_two(specs: Sequence[ExtractorSpec]) -> None:
    """Refuses two models of one name, which would share a store.

    Raises:
        DuplicateName: if two have one name, as checkpoints in two folders may.
    """
    for name, count in Counter(spec.name for spec in specs).items():
        if count > 1:
            raise DuplicateName(
                f"{count} of these models are called '{name}'.",
                hint="A checkpoint or a .toml file is called after its file: rename one, or use two roots.",
            )


def _show_needs(plan: "Extraction", source: "ChosenSource[TileSource]", n_tiles: int) -> None:
    """Shows what so many tiles would take to fetch, write and compute."""
    from plismbench.extraction.extraction import written_bytes
    from plismbench.extraction.profiling import profile_model
    from plismbench.reporting.printing import duration, size

    name, device, precision = plan.spec.name, plan.device, plan.precision
    show(
        f"{name}: {len(plan.slides)} slides to do, {len(plan.skipped)} there; {source.origin}.\n"
        f"  fetch    {size(n_tiles * source.tile_bytes)}\n"
        f"  write    {size(written_bytes(plan.spec, n_tiles))} to {plan.store.folder}"
    )
    say(f"{name}: loading it, to time it on noise …")
    n_timed = 1 if device == "cpu" else 2_048  # a batch takes seconds on a CPU, and too little to be timed on a GPU
    cost = profile_model(plan.spec, device=device, precision=precision, batch_size=plan.batch_size, n_tiles=n_timed)
    speed = cost.tiles_per_second
    show(f"  compute  {duration(n_tiles / speed)} at {speed:,.1f} tiles/s on {device} in {precision}")


def _executor(kind: ExecutorKind, device: str, processes: int | None, address: str | None) -> "Executor":
    """The executor asked for.

    Raises:
        InvalidInput: if an option does not belong to it, or more processes than GPUs are asked for.
        MissingPackage: if Ray is not installed.
        Unavailable: if no Ray cluster is at the address, or it has nothing to work on.
    """
    from plismbench.execution.local import LocalExecutor
    from plismbench.execution.processes import ProcessExecutor
    from plismbench.extractors.inference.devices import worker_devices

    if processes is not None and kind is ExecutorKind.LOCAL:
        raise InvalidInput("--processes belongs to --executor processes or ray.")
    if address is not None and kind is not ExecutorKind.RAY:
        raise InvalidInput("--address belongs to --executor ray.")
    match kind:
        case ExecutorKind.LOCAL:
            return LocalExecutor()
        case ExecutorKind.PROCESSES:
            return ProcessExecutor(worker_devices(device, processes))
        case ExecutorKind.RAY:
            return _ray_executor(device, processes, address)


def _say_loss(why: str, n_left: int) -> None:
    say(f"A worker of the Ray cluster is lost ({why}); its slides start over with the {n_left} that are left.")


def _ray_executor(device: str, processes: int | None, address: str | None) -> "Executor":
    on_gpu = device != "cpu"
    try:
        from plismbench.execution.ray_cluster import RayExecutor

        place = "cuda" if on_gpu else "cpu"  # a worker sees its own GPU only
        executor = RayExecutor(place, address=address, on_gpu=on_gpu, n_workers=processes, on_loss=_say_loss)
    except ModuleNotFoundError:
        raise MissingPackage(
            "--executor ray needs Ray, which is not installed.", hint="Install it: `pip install 'plismbench[ray]'`."
        ) from None
    except ConnectionError as error:
        raise Unavailable(
            f"Cannot join a Ray cluster at '{address}': {words_of(error)}.",
            hint="Start one with `ray start --head`, or leave out --address; one that asks for a token is joined with"
            " RAY_AUTH_MODE=token.",
        ) from error
    if not executor.n_workers:
        raise Unavailable(
            f"No machine of the Ray cluster offers a {'GPU' if on_gpu else 'CPU'}.", hint="`ray status` shows them."
        )
    return executor
