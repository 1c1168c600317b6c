"""Tiles to vectors, slide by slide, into a store."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from plismbench.dataset import Slide
from plismbench.embeddings.efficiency import Efficiency, total, write_efficiency
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import AlreadyExists, CorruptFile, FingerprintMismatch, WorkerLost
from plismbench.execution.executor import Executor
from plismbench.extractors.devices import set_threads
from plismbench.extractors.extractor import load_extractor
from plismbench.extractors.runner import make_runner
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.pipeline import Pipeline, SlideExtracted, Task
from plismbench.tiles.source import TileSource
from plismbench.workspace import MANIFEST_FILE, Existing, Workspace, remove_folder, require_writable

DEFAULT_WORKERS = 2
"""Slides read at once: the next one is there when one ends, and each decodes on all cores by itself."""


def count_nothing(n_tiles: int) -> None:
    """Takes a count of tiles and forgets it: a progress bar that is not there, and travels to workers."""


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

    def run(self, executor: Executor, on_tiles: Callable[[int], None] = count_nothing) -> Iterator[SlideExtracted]:
        """Extracts the slides one by one; each is in the store when it is yielded.

        Args:
            executor: where the work runs.
            on_tiles: told how many tiles were done, batch by batch.
        """
        return extract_together([self], executor, on_tiles)


def extract_together(
    plans: Sequence[Extraction],
    executor: Executor,
    on_tiles: Callable[[int], None] = count_nothing,
    *,
    workers: int = DEFAULT_WORKERS,
    compiled: bool = False,
    threads: int | None = None,
) -> Iterator[SlideExtracted]:
    """Runs several extractors in one pass over the tiles: each is read and decoded once.

    Args:
        plans: extractors over the same source; each gets those slides that its store lacks.
        executor: where the work runs.
        on_tiles: told how many tiles an extractor did, batch by batch.
        workers: slides that are read and decoded at once.
        compiled: fuse the operations of the networks with ``torch.compile``.
        threads: of arithmetic on a CPU, for each worker of the executor; torch's choice if left out.

    Yields:
        Each slide of each extractor, now in its store. How fast each was lies beside its manifest
        at the end, and also after an interruption.
    """
    tasks = [
        Task(slide, tuple(plan.spec.name for plan in plans if slide in plan.slides))
        for slide in sorted({slide for plan in plans for slide in plan.slides})
    ]
    start = partial(_start, tuple(plans), on_tiles, workers, compiled, threads)
    costs: dict[str, list[Efficiency]] = {}
    begun = math.inf
    try:
        for slides in executor.run(start, tasks):
            for done in slides:
                begun = min(begun, done.begun)
                costs.setdefault(done.efficiency.extractor, []).append(done.efficiency)
            yield from slides
    except ChildProcessError as error:
        raise WorkerLost(
            f"{error}; what it had begun is lost.",
            hint="Finished slides are kept; the same command goes on from there. If memory ran out,"
            " use a smaller --batch-size or fewer --processes.",
        ) from error
    finally:
        for plan in plans:
            if plan.spec.name in costs:
                write_efficiency(
                    plan.store.folder,
                    replace(
                        total(costs[plan.spec.name]),
                        wall_seconds=time.time() - begun,
                        n_devices=executor.n_workers,
                        n_together=len(plans),
                    ),
                )


def _start(
    plans: tuple[Extraction, ...],
    on_tiles: Callable[[int], None],
    workers: int,
    compiled: bool,
    threads: int | None,
    device: str,
) -> Pipeline:
    """What a worker runs, once its networks are on its device: an empty name stands for the plans' own."""
    if threads is not None:
        set_threads(threads)
    runners = {
        plan.spec.name: make_runner(
            load_extractor(plan.spec, device or plan.device, plan.precision, compiled=compiled), plan.batch_size
        )
        for plan in plans
    }
    stores = {plan.spec.name: plan.store for plan in plans}
    return Pipeline(plans[0].source, runners, stores, workers, on_tiles)


def plan_extraction(
    spec: ExtractorSpec,
    source: TileSource,
    slides: tuple[Slide, ...],
    workspace: Workspace,
    *,
    device: str,
    precision: Precision,
    batch_size: int | None,
    existing: Existing,
) -> Extraction:
    """Opens or makes the store and finds out which slides are to do.

    Raises:
        AlreadyExists: if a slide is there and ``existing`` is ``error``.
        FingerprintMismatch: if the store holds vectors that something else made, and it is not
            replaced as a whole.
        StorageFailure: if the store cannot be written.
    """
    manifest = Manifest(
        extractor=spec.as_dict(),
        fingerprint=spec.fingerprint(),
        dataset=source.dataset.name,
        revision=source.dataset.revision,
        precision=str(precision),
        device=device,
        versions={name: version(name) for name in ("plismbench", "torch", "timm", "numpy")},
    )
    folder = workspace.embeddings(spec.name)
    require_writable(folder)
    if existing is Existing.REPLACE:
        _drop_unlike(folder, manifest, slides)
    store = EmbeddingStore.create(folder, manifest)
    there = tuple(slide for slide in slides if store.has(slide))
    if there and existing is Existing.ERROR:
        raise AlreadyExists(
            f"'{spec.name}' has {len(there)} of these slides already: {there[0]}{', …' if len(there) > 1 else ''}.",
            hint="Keep them with --existing skip, or drop them with --existing replace.",
        )
    skipped = there if existing is Existing.SKIP else ()
    todo = tuple(slide for slide in slides if slide not in skipped)
    return Extraction(spec, source, store, todo, skipped, device, precision, batch_size)


def _drop_unlike(folder: Path, manifest: Manifest, slides: tuple[Slide, ...]) -> None:
    """Empties a store that something else made, unless that would lose slides not asked for."""
    if not (folder / MANIFEST_FILE).exists():
        return
    try:
        store = EmbeddingStore.open(folder)
    except CorruptFile:
        store = None
    if store and store.manifest.identity == manifest.identity:
        return
    lost = sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in map(str, slides))
    if lost:
        raise FingerprintMismatch(
            f"{folder} was made by something else; replacing it would lose {len(lost)} slides that are not"
            f" asked for: {lost[0]}{', …' if len(lost) > 1 else ''}.",
            hint="Ask for all of its slides, or use another --root.",
        )
    remove_folder(folder)
