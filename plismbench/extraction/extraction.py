"""Tiles to vectors, slide by slide, into a store."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from plismbench.dataset import Slide
from plismbench.embeddings.efficiency import Efficiency, total, write_efficiency
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.opening import open_for_writing
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import StorageFailure, WorkerLost
from plismbench.execution.executor import Executor, ItemProgress
from plismbench.extraction.pipeline import Pipeline, SlideExtracted, Task
from plismbench.extractors.checkpoints.locations import TRUST
from plismbench.extractors.inference.devices import set_threads
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.inference.runner import make_runner
from plismbench.extractors.loaders import versions_of
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.tiles.choice import ChosenSource
from plismbench.tiles.readahead import DEFAULT_WORKERS
from plismbench.tiles.source import TileSource
from plismbench.workspace import Existing, Workspace


@dataclass(frozen=True)
class Extraction:
    """One extractor over some slides: what is to do, and how. Small; it travels to workers.

    Args:
        spec: the model.
        source: the tiles.
        store: where the vectors go.
        slides: those asked for that the store does not have yet.
        skipped: those asked for that it has.
        device: a torch device, ``cpu`` or ``cuda``.
        precision: of the forward pass.
        batch_size: tiles a forward pass; None for what suits model and device.
    """

    spec: ExtractorSpec
    source: TileSource
    store: EmbeddingStore
    slides: tuple[Slide, ...]
    skipped: tuple[Slide, ...]
    device: str
    precision: Precision
    batch_size: int | None


def extract_together(
    plans: Sequence[Extraction],
    executor: Executor,
    on_tiles: Callable[[int], None] = lambda _: None,
    *,
    workers: int = DEFAULT_WORKERS,
    compiled: bool = False,
    threads: int | None = None,
) -> Iterator[SlideExtracted]:
    """Runs several extractors in one pass over the tiles: each is read and decoded once.

    Args:
        plans: extractors over the same source; each gets those slides that its store lacks.
        executor: where the work runs.
        on_tiles: told how many more tiles were done, by one extractor or another, wherever they work;
            negative where slides of a lost worker start over.
        workers: slides that are read and decoded at once.
        compiled: fuse the operations of the networks with ``torch.compile``.
        threads: of arithmetic on a CPU, for each worker of the executor; torch's choice if left out.

    Yields:
        Each slide of each extractor, now in its store. How fast those were lies beside its manifest
        at the end, and also after an interruption; after a kill, how fast the first slide of all was.
    """
    tasks = [
        Task(slide, tuple(plan.spec.name for plan in plans if slide in plan.slides))
        for slide in sorted({slide for plan in plans for slide in plan.slides})
    ]
    start = partial(_start, tuple(plans), workers, compiled, threads, os.environ.get(TRUST))
    costs: dict[str, list[Efficiency]] = {}
    begun = math.inf
    reported: Counter[Task] = Counter()
    try:
        for slides in executor.run(start, tasks):
            if isinstance(slides, ItemProgress):
                on_tiles(slides.n_done - reported[slides.item])
                reported[slides.item] = slides.n_done
                continue
            for done in slides:
                begun = min(begun, done.begun)
                costs.setdefault(done.efficiency.extractor, []).append(done.efficiency)
            yield from slides
    except BaseException as error:
        with suppress(StorageFailure):  # why it ended comes first
            _write_efficiencies(plans, costs, begun, executor.n_workers)
        if isinstance(error, ChildProcessError):
            raise WorkerLost(
                f"{error}; what it had begun is lost.",
                hint="Finished slides are kept; the same command goes on from there. If memory ran out,"
                " use a smaller --batch-size or fewer --processes.",
            ) from error
        raise
    _write_efficiencies(plans, costs, begun, executor.n_workers)


def _write_efficiencies(
    plans: Sequence[Extraction], costs: dict[str, list[Efficiency]], begun: float, n_devices: int
) -> None:
    """Writes what the slides cost."""
    for plan in plans:
        if plan.spec.name in costs:
            cost = replace(total(costs[plan.spec.name]), wall_seconds=time.time() - begun, n_devices=n_devices)
            write_efficiency(plan.store.folder, cost)


def _start(
    plans: tuple[Extraction, ...],
    workers: int,
    compiled: bool,
    threads: int | None,
    trust: str | None,
    device: str,
) -> Pipeline:
    """What a worker runs, once its networks are on its device; an empty ``device`` means the plans' own."""
    if trust is not None:  # it was given to the command; another machine does not know
        os.environ[TRUST] = trust
    if threads is not None:
        set_threads(threads)
    runners = {
        plan.spec.name: make_runner(
            load_extractor(plan.spec, device or plan.device, plan.precision, compiled=compiled), plan.batch_size
        )
        for plan in plans
    }
    stores = {plan.spec.name: plan.store for plan in plans}
    return Pipeline(plans[0].source, runners, stores, workers)


def written_bytes(spec: ExtractorSpec, n_tiles: int) -> int:
    """What the vectors of so many tiles take: for each, float16 numbers and two coordinates of int32."""
    return n_tiles * (2 * spec.dim + 8)


def plan_extraction(
    spec: ExtractorSpec,
    source: ChosenSource[TileSource],
    slides: tuple[Slide, ...],
    workspace: Workspace,
    *,
    device: str,
    precision: Precision,
    batch_size: int | None,
    existing: Existing,
    model_option: str = "",
) -> Extraction:
    """Opens or makes the store and finds out which slides are to do.

    Args:
        spec: the model.
        source: the tiles. One store holds one commit of each repository; slides of one's own that are there were
            made from files of the same digests.
        slides: those asked for.
        workspace: where the store is.
        device: a torch device, ``cpu`` or ``cuda``.
        precision: of the forward pass.
        batch_size: tiles a forward pass.
        existing: what to do with slides that are there.
        model_option: what ``--model`` takes for the spec in any folder, where that is not its name.

    Raises:
        AlreadyExists: if a slide is there and ``existing`` is ``error``.
        FingerprintMismatch: if the store holds vectors that something else made, and it is not
            replaced as a whole; if a slide that stays was made from other files.
        StorageFailure: if the store cannot be written.
    """
    dataset = source.tiles.dataset
    manifest = Manifest(
        extractor=spec.portable.as_dict(),
        fingerprint=spec.fingerprint(),
        dataset=dataset.name,
        revision=dataset.revision,
        dataset_option=dataset.option,
        model_option="" if model_option == spec.name else model_option,
        precision=str(precision),
        device=device,
        versions=versions_of(spec),
        tiles_commit=dict(source.commits),
    )
    opened = open_for_writing(workspace.embeddings(spec.name), manifest, slides, existing, source.digests)
    return Extraction(spec, source.tiles, opened.store, opened.todo, opened.skipped, device, precision, batch_size)
