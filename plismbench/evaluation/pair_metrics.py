"""Two slides to one row of the pair table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import InvalidInput
from plismbench.execution.threads import ThreadExecutor
from plismbench.metrics.cosine import paired_cosines
from plismbench.metrics.owkin import owkin_numbers
from plismbench.metrics.protocol import OWKIN
from plismbench.metrics.retrieval import (
    SearchedSlide,
    WithinSlideNeighbors,
    counterpart_ranks,
    searched_slide,
    top_k_accuracy,
)
from plismbench.pairs import SlidePair
from plismbench.results.aggregation import PAIR, Schema, core_metrics, core_schema, pair_schema, top_k_metric
from plismbench.search.engine import Engine
from plismbench.search.vectors import Float64, Int64, PrincipalAxes, SlideVectors, principal_axes
from plismbench.tissue import Tissue, tissue_of

_AXES_FROM = 8  # slides that the principal axes are found on: enough to see stainings and scanners shift


def part_schema(ks: Iterable[int]) -> Schema:
    """Columns of what is kept while an evaluation is under way: pairs, their core sums as lists."""
    ks = tuple(ks)
    listed: Schema = {name: pl.List(kind) for name, kind in _core_columns(ks).items()}
    return pair_schema(ks) | {f"core_{name}": kind for name, kind in listed.items()}


def pairs_of(parts: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """The pair table of some parts."""
    return parts.select(*pair_schema(ks))


def cores_of(parts: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """The core table of some parts: one row a pair and core that has tiles."""
    columns = list(_core_columns(ks))
    long = parts.select(*PAIR, *(pl.col(f"core_{name}").alias(name) for name in columns)).explode(
        columns, empty_as_null=False
    )
    return long.filter(pl.col("tiles") > 0).select(*core_schema(ks))


def _core_columns(ks: Sequence[int]) -> Schema:
    return {name: kind for name, kind in core_schema(ks).items() if name not in PAIR}


@dataclass(frozen=True)
class PairMetrics:
    """What is computed of every pair.

    Args:
        ks: cut-offs.
        protocol: one of ``plismbench.metrics.protocol``.
        engine: what searches.
        tissue: the core of every tile.
    """

    ks: tuple[int, ...]
    protocol: str
    engine: Engine[Any]
    tissue: Tissue

    def __call__(self, task: tuple[SlidePair, SearchedSlide, SearchedSlide]) -> dict[str, object]:
        """One row of ``part_schema``."""
        pair, a, b = task
        cosines = paired_cosines(a.moments, b.moments, self.engine.paired(a.placed, b.placed))
        if self.protocol == OWKIN:
            numbers = owkin_numbers(a.vectors, b.vectors, self.ks)
            cosine, matched, hits = numbers.cosine, numbers.matched, numbers.hits
        else:
            ranks = counterpart_ranks(a, b, cosines.matched, max(self.ks), self.engine)
            cosine, matched = float(cosines.matched.mean()), cosines.matched
            hits = {k: ranks.hits(k) for k in self.ks}
        return {
            **dict(zip(PAIR, pair.codes, strict=True)),
            "group": str(pair.group),
            "cosine": cosine,
            **{top_k_metric(k): top_k_accuracy(hits[k]) for k in self.ks},
            "random_cosine": cosines.random,
            "cosine_lift": cosines.lift,
            "centred_cosine": float(cosines.centred.mean()),
            **self._of_cores({"cosine": matched, **{top_k_metric(k): hits[k] for k in self.ks}}, cosines.centred),
        }

    def _of_cores(self, of_tiles: dict[str, Any], centred: Float64) -> dict[str, object]:
        labels, n_cores = self.tissue.labels, len(self.tissue.names)
        of_tiles = of_tiles | {"centred_cosine": centred}
        columns: dict[str, object] = {
            "core_core": list(self.tissue.names),
            "core_tiles": np.bincount(labels, minlength=n_cores),
        }
        for metric in core_metrics(self.ks):
            sums = np.bincount(labels, weights=of_tiles[metric], minlength=n_cores)
            columns[f"core_{metric}"] = sums.astype(of_tiles[metric].dtype)
        return columns


class Slides:
    """The slides of a store as they are needed, searched; a bounded number is held.

    Args:
        store: the vectors.
        dataset: whose tiles they are.
        names: the slides that will be asked for.
        rows: the tiles that are used.
        limit: neighbours of each tile within its slide.
        engine: what searches.
        executor: reads and searches some slides side by side.
        capacity: slides held at once, at least 2.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        dataset: RegisteredDataset,
        names: Sequence[Slide],
        rows: Int64,
        limit: int,
        engine: Engine[Any],
        executor: ThreadExecutor,
        capacity: int,
    ) -> None:
        self._store, self._dataset, self._names, self._rows = store, dataset, sorted(names), rows
        self._limit, self._engine, self._executor, self._capacity = limit, engine, executor, capacity
        self._finding_axes = Lock()
        self._loaded: dict[Slide, SearchedSlide] = {}
        self._own: dict[Slide, WithinSlideNeighbors] = {}  # small, costly to recompute: kept when vectors are evicted

    @cached_property
    def tissue(self) -> Tissue:
        """The core of every tile that is used."""
        return tissue_of(self._dataset, self._xy).at(self._rows)

    @cached_property
    def _xy(self) -> npt.NDArray[np.int32]:
        slide = self._names[0]
        xy = self._store.read(slide).xy
        if len(xy) != self._dataset.tiles_per_slide:
            raise InvalidInput(
                f"{slide} has {len(xy):,} tiles; a slide of '{self._dataset.name}' has"
                f" {self._dataset.tiles_per_slide:,}.",
                hint=f"Extract it again with --slides {slide} --existing replace.",
            )
        return xy

    @cached_property
    def _axes(self) -> PrincipalAxes:
        some = self._names[:: max(1, len(self._names) // _AXES_FROM)][:_AXES_FROM]
        return principal_axes(map(self._read, some))

    def _common_axes(self) -> PrincipalAxes:
        with self._finding_axes:
            return self._axes

    def both(
        self, pairs: Sequence[SlidePair], wanted: Iterable[Slide]
    ) -> list[tuple[SlidePair, SearchedSlide, SearchedSlide]]:
        """The tasks of ``PairMetrics``. Nothing else holds the slides, so that they go when they are done.

        Args:
            pairs: of no more slides than are held at once.
            wanted: the slides of these pairs and of the next: where there is no room, others go first.
        """
        needed = {slide for pair in pairs for slide in (pair.a, pair.b)}
        absent = sorted(needed - self._loaded.keys())
        useless = sorted(self._loaded, key=set(wanted).__contains__)
        for slide in useless[: max(0, len(self._loaded) + len(absent) - self._capacity)]:
            del self._loaded[slide]
        for slide, searched in zip(absent, self._executor.map(self._search, absent), strict=True):
            self._own[slide], self._loaded[slide] = searched.own, searched
        return [(pair, self._loaded[pair.a], self._loaded[pair.b]) for pair in pairs]

    def _search(self, slide: Slide) -> SearchedSlide:
        return searched_slide(self._read(slide), self._common_axes, self._limit, self._engine, self._own.get(slide))

    def _read(self, slide: Slide) -> SlideVectors:
        embeddings = self._store.read(slide)
        if not np.array_equal(self._xy, embeddings.xy):
            raise InvalidInput(
                f"{slide} and {self._names[0]} have other tiles ({len(embeddings.xy):,} and {len(self._xy):,}, or at"
                " other places), so rows do not match.",
                hint=f"Extract the wrong one again, with --slides {slide} or {self._names[0]} --existing replace.",
            )
        every = len(self._rows) == len(embeddings.xy)
        return SlideVectors(embeddings.vectors if every else embeddings.vectors[self._rows])
