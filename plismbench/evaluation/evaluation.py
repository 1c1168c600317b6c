"""Vectors to numbers, pair by pair, into a result."""

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import polars as pl

from plismbench.dataset import RegisteredDataset, Slide, TileSubset
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import AlreadyExists, CorruptFile, InvalidInput, require_known
from plismbench.evaluation.pair_metrics import PairMetrics
from plismbench.evaluation.partial_results import Parts, cores_of, drop_parts, pairs_of
from plismbench.evaluation.slide_cache import SlideCache, slides_that_fit
from plismbench.execution.threads import ThreadMap, thread_budget
from plismbench.machine import hardware, memory_bytes
from plismbench.metrics.protocol import OWKIN, PROTOCOL, PROTOCOLS
from plismbench.metrics.retrieval import check_cutoffs
from plismbench.pairs import SlidePair, slide_pairs
from plismbench.results.aggregation import PAIR
from plismbench.results.result import (
    Result,
    Run,
    begin_result,
    is_finished,
    read_result,
    selection_name,
    summary_and_draws,
    write_result,
)
from plismbench.search.engine import AUTO, engine, engine_for
from plismbench.storage import folder_lock, require_writable, storage_errors
from plismbench.workspace import MANIFEST_FILE, RUN_FILE, Existing, Workspace

PAIRS_PER_PART = 32
"""Pairs that are written together: the most that an interruption loses."""

_READ_AT_ONCE = 2**26
"""Bytes of slides, as stored, that are read and searched side by side, a thread each.

A slide of a few hundred tiles keeps one core busy, a large one keeps all; and what is read has to fit
beside the slides that are held.
"""


@dataclass(frozen=True)
class Evaluation:
    """One extractor over all pairs of some slides: what is to do, and how.

    Args:
        store: the vectors.
        dataset: whose tiles they are.
        run: what the result will say of itself.
        todo: the pairs that no earlier, interrupted run has left behind; none if ``finished``.
        folder: where the result goes.
        slides_in_memory: how many slides are held at once, at least 2.
        threads: for everything together.
        existing: what to do with a result that is there.
        finished: it is there already, and is kept.
    """

    store: EmbeddingStore
    dataset: RegisteredDataset
    run: Run
    todo: tuple[SlidePair, ...]
    folder: Path
    slides_in_memory: int
    threads: int
    existing: Existing
    finished: bool

    def evaluate(self) -> Iterator[SlidePair]:
        """Evaluates what is to do and writes the result; yields each pair when it is done.

        Where another process has finished the same result meanwhile, that is kept.

        Raises:
            PlismbenchError: if the vectors cannot be read or do not belong together.
        """
        if self.finished:
            return
        begun = time.perf_counter()
        parts = Parts.of(self.folder, self.run)
        tables = [parts.read()]  # in memory too: another process at this result drops the parts when it is finished
        rows: list[dict[str, object]] = []
        for pair, row in self._compared():
            rows.append(row)
            if len(rows) == PAIRS_PER_PART:
                tables.append(parts.write(rows))
                rows = []
            yield pair
        if rows:
            tables.append(parts.write(rows))
        seconds = time.perf_counter() - begun
        # The bootstrap's products are flat: a second thread of BLAS only waits, on a busy machine for seconds.
        with thread_budget(1), folder_lock(self.folder):
            self._finish(pl.concat(tables).unique(PAIR).sort(PAIR), seconds)
        drop_parts(self.folder)

    def result(self) -> Result:
        """The result, once it is evaluated; one that another process is replacing is waited for.

        Raises:
            CorruptFile: if a file is missing or damaged.
        """
        with folder_lock(self.folder, shared=True):
            return read_result(self.folder)

    def _compared(self) -> Iterator[tuple[SlidePair, dict[str, object]]]:
        """Every pair that is to do with its row, in an order in which few slides are read twice."""
        if not self.todo:  # it ended between the last pair and the result
            return
        ks, search = self.run.ks, engine(self.run.engine, self.run.device)
        names = sorted({slide for pair in self.todo for slide in (pair.a, pair.b)})
        stored = self.dataset.tiles_per_slide * self.store.manifest.dim * 2
        pairs_at_once = self.threads if search.concurrent else 1
        slides_at_once = max(1, min(pairs_at_once, _READ_AT_ONCE // stored))
        readers, comparers = (ThreadMap(self.threads, at_once) for at_once in (slides_at_once, pairs_at_once))
        # Ties that rounding makes fall as the tiles lie.
        subset = TileSubset(self.run.n_tiles, self.dataset.tiles_per_slide)
        rows = subset.drawn() if self.run.protocol == OWKIN else subset.rows()
        cache = SlideCache(self.store, self.dataset, names, rows, max(ks), search, readers, self.slides_in_memory)
        measure = PairMetrics(ks, self.run.protocol, search, cache.tissue)
        for wanted, batch in _batches(self.todo, self.slides_in_memory, slides_at_once):
            with thread_budget(self.threads):
                yield from zip(batch, comparers.map(measure, cache.tasks(batch, wanted)), strict=True)

    def _finish(self, parts: pl.DataFrame, seconds: float) -> None:
        if self.existing is not Existing.REPLACE and is_finished(self.folder, self.run):
            return
        n_pairs = math.comb(len(self.run.slides), 2)
        if len(parts) != n_pairs:
            raise CorruptFile(f"{self.folder} has {len(parts)} of {n_pairs} pairs.", hint="Run the same command again.")
        ks = self.run.ks
        pairs, cores = pairs_of(parts, ks), cores_of(parts, ks)
        summary, draws = summary_and_draws(pairs, cores, ks)
        rate = len(self.todo) / seconds if self.todo else 0.0
        run = replace(self.run, seconds=round(seconds, 3), pairs_per_second=round(rate, 3))
        begin_result(self.folder)
        with storage_errors(self.folder):
            (self.folder / MANIFEST_FILE).unlink(missing_ok=True)  # of a submission, whose place this takes
        write_result(self.folder, Result(run, pairs, summary, cores, draws))


def plan_evaluation(
    store: EmbeddingStore,
    dataset: RegisteredDataset,
    slides: tuple[Slide, ...],
    workspace: Workspace,
    *,
    n_tiles: int,
    ks: tuple[int, ...],
    engine_name: str,
    memory: int,
    threads: int,
    existing: Existing,
    device: str = AUTO,
    protocol: str = PROTOCOL,
    digests: Mapping[Slide, str] | None = None,
) -> Evaluation:
    """Checks that there is everything to evaluate, and finds out which pairs are to do.

    Args:
        store: one extractor's vectors.
        dataset: whose slides they are.
        slides: those to pair with each other.
        workspace: where the result goes.
        n_tiles: size of the tile subset.
        ks: cut-offs.
        engine_name: see ``plismbench.search.engine``.
        memory: bytes that slides may take at once; on a GPU half of what is free there, if that is less.
        threads: for everything together.
        existing: what to do with a result that is there.
        device: where the engine searches.
        protocol: see ``plismbench.metrics.protocol``.
        digests: of the files of each slide of one's own; vectors extracted from others are refused.

    Raises:
        AlreadyExists: if the result is there and ``existing`` is ``error``.
        MissingEmbeddings: if a slide is not in the store.
        InvalidInput: if there are fewer than two slides, memory for fewer, or a number is out of its range.
        UnknownName: if there is no such engine or protocol.
        NeedsAction: if the engine cannot use the device.
        FingerprintMismatch: if the store is of another data set or revision, or was extracted from other files.
        StorageFailure: if the result could not be written.
    """
    if len(slides) < 2:
        raise InvalidInput("A pair needs two slides; only one is left by this choice.")
    require_known("protocol", [protocol], PROTOCOLS)
    subset = TileSubset(n_tiles, dataset.tiles_per_slide)
    check_cutoffs(ks, n_tiles)
    engine_name = engine_for(engine_name, device)
    search = engine(engine_name, device)
    store.require(slides)
    manifest = store.manifest
    replace(manifest, dataset=dataset.name, revision=dataset.revision).require_same(
        manifest.identity, store.folder, hint="Extract again with --existing replace."
    )
    if not manifest.origin:
        store.require_made_from(digests or {})
    run = Run(
        extractor=manifest.extractor,
        fingerprint=manifest.fingerprint,
        dataset=dataset.name,
        revision=dataset.revision,
        slides=tuple(sorted(map(str, slides))),
        n_tiles=n_tiles,
        seed=subset.seed,
        ks=tuple(sorted(ks)),
        precision=manifest.precision,
        vectors=store.contents(slides),
        tiles_commit=manifest.tiles_commit | _own_tiles(store, slides),
        protocol=protocol,
        engine=engine_name,
        device=search.device,
        hardware=hardware() | {"threads": threads},
        versions={name: version(name) for name in ("plismbench", "numpy", "polars", "pyarrow")} | search.versions,
    )
    memory = memory if search.room is None else min(memory, search.room)
    in_memory = slides_that_fit(memory, len(slides), n_tiles, manifest.dim, max(ks))
    folder = workspace.results(manifest.name, selection_name(dataset, slides, n_tiles, ks, protocol))
    if existing is Existing.ERROR and (folder / RUN_FILE).exists():
        raise AlreadyExists(
            f"'{run.name}' is evaluated already: {folder}.",
            hint="Keep it with --existing skip, or evaluate again with --existing replace.",
        )
    finished = existing is not Existing.REPLACE and is_finished(folder, run)
    todo: tuple[SlidePair, ...] = ()
    if finished:
        drop_parts(folder)  # of an evaluation that was killed between its last two steps
    else:
        require_writable(folder)
        parts = Parts.of(folder, run)
        drop_parts(folder, but=None if existing is Existing.REPLACE else parts)
        done = set(parts.read().select(PAIR).iter_rows())
        todo = tuple(pair for pair in slide_pairs(slides) if pair.codes not in done)
    return Evaluation(store, dataset, run, todo, folder, in_memory, threads, existing, finished)


def default_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return memory_bytes() // 2


def _own_tiles(store: EmbeddingStore, slides: Sequence[Slide]) -> dict[str, str]:
    """One digest of the files that the tiles of some slides were read from, under the name of their data set.

    Nothing for tiles of the Hub or the demo, for vectors that others made, or where a slide does not say.
    """
    made_from = store.made_from(sorted(slides))
    if store.manifest.origin or len(made_from) < len(slides):
        return {}
    return {store.manifest.dataset: hashlib.sha256("\n".join(made_from.values()).encode()).hexdigest()[:40]}


def _batches(pairs: Sequence[SlidePair], in_memory: int, at_once: int) -> Iterator[tuple[list[Slide], list[SlidePair]]]:
    """The pairs, those together that the next slides complete, with the slides that are needed for a while.

    Where not all slides fit, two blocks of them serve all pairs between them before the next is read.
    """
    slides = sorted({slide for pair in pairs for slide in (pair.a, pair.b)})
    block = in_memory if len(slides) <= in_memory else in_memory // 2
    place = {slide: number for number, slide in enumerate(slides)}
    ordered = sorted(pairs, key=lambda pair: (place[pair.a] // block, place[pair.b], pair.a))
    for (first, last, _), batch in groupby(
        ordered, key=lambda pair: (place[pair.a] // block, place[pair.b] // block, place[pair.b] // at_once)
    ):
        yield [slide for slide in slides if place[slide] // block in (first, last)], list(batch)
