"""Vectors to numbers, pair by pair, into a result."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from plismbench.aggregation import check_schema, pair_schema, summarise, top_k_metric
from plismbench.dataset import RegisteredDataset, Slide, TileSubset
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import AlreadyExists, CorruptFile, InvalidInput
from plismbench.metrics.cosine import paired_cosine
from plismbench.metrics.retrieval import OwnNeighbors, SearchedSlide, check_cutoffs, counterpart_ranks, own_neighbors
from plismbench.metrics.vectors import Rows, SlideVectors
from plismbench.pairs import SlidePair, slide_pairs
from plismbench.results import Result, Run, read_result, selection_name, write_result
from plismbench.search.engine import Engine, engine
from plismbench.workspace import (
    PARTS_FOLDER,
    RUN_FILE,
    Existing,
    Workspace,
    remove_folder,
    require_writable,
    sweep,
    writing,
)

PAIRS_PER_PART = 32
"""Pairs that are written together: the most that an interruption loses."""

_PAIR = ("staining_a", "scanner_a", "staining_b", "scanner_b")


@dataclass(frozen=True)
class Evaluation:
    """One extractor over all pairs of some slides: what is to do, and how.

    Args:
        store: the vectors.
        run: what the result will say of itself.
        subset: the tiles.
        n_pairs: of all slides asked for.
        todo: the pairs that no earlier, interrupted run has left behind; none if ``finished``.
        folder: where the result goes.
        slides_in_memory: how many slides are held at once, at least 2.
        finished: the result is there already, and is kept.
    """

    store: EmbeddingStore
    run: Run
    subset: TileSubset
    n_pairs: int
    todo: tuple[SlidePair, ...]
    folder: Path
    slides_in_memory: int
    finished: bool

    def evaluate(self) -> Iterator[int]:
        """Evaluates what is to do and writes the result; yields how many pairs were done, part by part.

        Raises:
            PlismbenchError: if the vectors cannot be read or do not belong together.
        """
        if self.finished:
            return
        begun = time.perf_counter()
        search = engine(self.run.engine)
        slides = _SlideCache(self.store, self.subset.rows(), max(self.run.ks), search, self.slides_in_memory)
        parts = _parts_folder(self.folder, self.run)
        ordered = _in_blocks(self.todo, self.slides_in_memory // 2)
        for start in range(0, len(ordered), PAIRS_PER_PART):
            part = ordered[start : start + PAIRS_PER_PART]
            rows = [_compare(pair, slides[pair.a], slides[pair.b], self.run.ks, search) for pair in part]
            _write_part(parts, pl.DataFrame(rows, schema=pair_schema(self.run.ks)))
            yield len(part)
        pairs = _read_parts(parts, self.run.ks)
        if len(pairs) != self.n_pairs:
            raise CorruptFile(f"{parts} has {len(pairs)} of {self.n_pairs} pairs.", hint="Run the same command again.")
        rate = len(ordered) / (time.perf_counter() - begun)
        run = replace(self.run, pairs_per_second=round(rate, 3))
        write_result(self.folder, Result(run, pairs, summarise(pairs, run.ks)))
        remove_folder(self.folder / PARTS_FOLDER)


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
    existing: Existing,
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
        memory: bytes that slides may take at once; two always fit.
        existing: what to do with a result that is there.

    Raises:
        AlreadyExists: if the result is there and ``existing`` is ``error``.
        MissingEmbeddings: if a slide is not in the store.
        InvalidInput: if there are fewer than two slides, or a number is out of its range.
        UnknownName: if there is no such engine.
        FingerprintMismatch: if the store is of another data set or revision.
        StorageFailure: if the result could not be written.
    """
    if len(slides) < 2:
        raise InvalidInput("A pair needs two slides; only one is left by this choice.")
    subset = TileSubset(n_tiles, dataset.tiles_per_slide)
    check_cutoffs(ks, n_tiles)
    engine(engine_name)
    store.require(slides)
    manifest = store.manifest
    replace(manifest, dataset=dataset.name, revision=dataset.revision).require_same(
        manifest.identity, store.folder, hint="Extract again with --existing replace."
    )
    run = Run(
        extractor=manifest.extractor,
        fingerprint=manifest.fingerprint,
        dataset=dataset.name,
        revision=dataset.revision,
        slides=tuple(sorted(map(str, slides))),
        all_slides=set(slides) == set(dataset.slides),
        n_tiles=n_tiles,
        seed=subset.seed,
        ks=tuple(sorted(ks)),
        precision=manifest.precision,
        engine=engine_name,
        device="cpu",
        versions={name: version(name) for name in ("plismbench", "numpy", "polars")},
    )
    folder = workspace.results(manifest.name, selection_name(dataset, slides, n_tiles, ks))
    finished = _is_finished(folder, run, existing)
    pairs = slide_pairs(slides)
    todo: tuple[SlidePair, ...] = ()
    if not finished:
        require_writable(folder)
        _drop_other_parts(folder, run)
        done = {tuple(row) for row in _read_parts(_parts_folder(folder, run), run.ks).select(_PAIR).iter_rows()}
        todo = tuple(p for p in pairs if (p.a.staining, p.a.scanner, p.b.staining, p.b.scanner) not in done)
    bytes_per_slide = n_tiles * manifest.dim * (2 + 4)  # float16 as stored, float32 of norm 1
    return Evaluation(
        store, run, subset, len(pairs), todo, folder, max(2, min(len(slides), memory // bytes_per_slide)), finished
    )


def default_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class _SlideCache:
    """Slides as they are needed; those used last are kept."""

    def __init__(self, store: EmbeddingStore, rows: Rows, limit: int, search: Engine, capacity: int) -> None:
        self._store, self._rows, self._limit, self._search, self._capacity = store, rows, limit, search, capacity
        self._xy: npt.NDArray[np.int32] | None = None
        self._loaded: dict[Slide, SearchedSlide] = {}  # the last used stands last
        self._own: dict[Slide, OwnNeighbors] = {}  # small and dear: stay when the vectors go

    def __getitem__(self, slide: Slide) -> SearchedSlide:
        searched = self._loaded.pop(slide, None)
        if searched is None:
            while len(self._loaded) >= self._capacity:
                self._loaded.pop(next(iter(self._loaded)))
            vectors = self._read(slide)
            if slide not in self._own:
                self._own[slide] = own_neighbors(vectors, self._limit, self._search)
            searched = SearchedSlide(vectors, self._own[slide])
        self._loaded[slide] = searched
        return searched

    def _read(self, slide: Slide) -> SlideVectors:
        embeddings = self._store.read(slide)
        if self._xy is None:
            self._xy = embeddings.xy
        if not np.array_equal(self._xy, embeddings.xy):
            raise InvalidInput(
                f"{slide} has other tiles than the slides before it ({len(embeddings.xy):,}, not {len(self._xy):,},"
                " or at other places), so rows do not match.",
                hint=f"Extract it again with --slides {slide} --existing replace.",
            )
        if self._rows[-1] >= len(embeddings.xy):
            raise InvalidInput(f"{slide} has {len(embeddings.xy):,} tiles; row {self._rows[-1]:,} is asked for.")
        return SlideVectors(embeddings.vectors[self._rows])


def _compare(
    pair: SlidePair, a: SearchedSlide, b: SearchedSlide, ks: Sequence[int], search: Engine
) -> dict[str, object]:
    """One row of the pair table."""
    cosines = paired_cosine(a.vectors, b.vectors)
    ranks = counterpart_ranks(a, b, cosines, max(ks), search)
    return {
        "staining_a": pair.a.staining,
        "scanner_a": pair.a.scanner,
        "staining_b": pair.b.staining,
        "scanner_b": pair.b.scanner,
        "group": str(pair.group),
        "cosine": float(cosines.mean()),
    } | {top_k_metric(k): ranks.accuracy(k) for k in ks}


def _in_blocks(pairs: Sequence[SlidePair], block: int) -> list[SlidePair]:
    """The pairs in an order in which two blocks of slides serve many pairs before the next is read."""
    slides = sorted({slide for pair in pairs for slide in (pair.a, pair.b)})
    of = {slide: number // block for number, slide in enumerate(slides)}
    return sorted(pairs, key=lambda pair: (of[pair.a], of[pair.b], pair))


def _is_finished(folder: Path, run: Run, existing: Existing) -> bool:
    """Whether the same result is there and to be kept; one of other vectors or cut-offs is not the same."""
    if existing is Existing.REPLACE or not (folder / RUN_FILE).exists():
        return False
    try:
        there = read_result(folder).run
    except CorruptFile:
        return False
    if (there.signature, there.fingerprint) != (run.signature, run.fingerprint):
        return False
    if existing is Existing.ERROR:
        raise AlreadyExists(
            f"'{run.name}' is evaluated already: {folder}.",
            hint="Keep it with --existing skip, or evaluate again with --existing replace.",
        )
    return True


def _parts_folder(folder: Path, run: Run) -> Path:
    return folder / PARTS_FOLDER / _digest(f"{run.signature} {run.fingerprint}")


def _drop_other_parts(folder: Path, run: Run) -> None:
    """Removes what an interrupted evaluation of other vectors or cut-offs left."""
    keep = _parts_folder(folder, run)
    for path in (folder / PARTS_FOLDER).glob("*"):
        if path != keep:
            remove_folder(path)
    sweep(keep)


def _write_part(folder: Path, table: pl.DataFrame) -> None:
    with writing(folder / f"{_digest(table.select(_PAIR).write_csv())}.parquet") as temporary:
        table.write_parquet(temporary)


def _read_parts(folder: Path, ks: Sequence[int]) -> pl.DataFrame:
    """What the parts hold, each pair once, sorted; no rows if there are no parts."""
    tables = [pl.DataFrame(schema=pair_schema(ks))]
    for path in folder.glob("*.parquet"):
        try:
            tables.append(check_schema(pl.read_parquet(path), pair_schema(ks), path))
        except (OSError, pl.exceptions.PolarsError):
            path.unlink()  # damaged: its pairs are done again
    return pl.concat(tables).unique(_PAIR).sort(_PAIR)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
