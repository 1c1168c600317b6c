"""The slides of a store, searched: each is read when it is needed, and few are held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import InvalidInput
from plismbench.execution.threads import ThreadMap
from plismbench.metrics.retrieval import SearchedSlide, WithinSlideNeighbors, searched_slide
from plismbench.pairs import SlidePair
from plismbench.search.engine import Engine
from plismbench.search.vectors import Int64, PrincipalAxes, SlideVectors, keeps_directions, principal_axes
from plismbench.tissue import Tissue, tissue_of

_AXES_FROM = 8  # slides that the principal axes are found on: enough to see stainings and scanners shift


def slides_that_fit(memory: int, n_slides: int, n_tiles: int, dim: int, limit: int) -> int:
    """How many slides are held at once.

    Of every slide its tiles' nearest neighbours stay (limit + 1 float64 a tile); a slide that is held takes
    float16 as stored, float32 rotated, three float64 a tile, and its float64 directions if it keeps them.

    Raises:
        InvalidInput: if not even two fit.
    """
    neighbors = n_slides * n_tiles * (limit + 1) * 8
    per_number = 2 + 4 + (8 if keeps_directions(n_tiles, dim) else 0)
    per_slide = n_tiles * (dim * per_number + 4 + 3 * 8)
    fit = (memory - neighbors) // per_slide
    if fit < 2:
        raise InvalidInput(
            f"Two slides of {n_tiles:,} tiles at dim {dim:,} need {(neighbors + 2 * per_slide) / 1e9:.2g} GB;"
            f" {memory / 1e9:.2g} GB are allowed.",
            hint="Raise --memory, or ask for fewer tiles with --n-tiles.",
        )
    return min(n_slides, fit)


@dataclass
class SlideCache:
    """The slides of a store as they are needed, searched; a bounded number is held.

    Args:
        store: the vectors.
        dataset: whose tiles they are.
        names: the slides that will be asked for, sorted.
        rows: the tiles that are used.
        limit: neighbours of each tile within its slide.
        engine: what searches.
        readers: read and search some slides side by side.
        capacity: slides held at once, at least 2.
    """

    store: EmbeddingStore
    dataset: RegisteredDataset
    names: Sequence[Slide]
    rows: Int64
    limit: int
    engine: Engine
    readers: ThreadMap
    capacity: int
    _finding_axes: Lock = field(default_factory=Lock, init=False)
    _loaded: dict[Slide, SearchedSlide] = field(default_factory=dict, init=False)
    # Small, costly to recompute: kept when vectors are evicted.
    _own: dict[Slide, WithinSlideNeighbors] = field(default_factory=dict, init=False)

    @cached_property
    def tissue(self) -> Tissue:
        """The core of every tile that is used."""
        return tissue_of(self.dataset, self._xy).at(self.rows)

    @cached_property
    def _xy(self) -> npt.NDArray[np.int32]:
        slide = self.names[0]
        xy = self.store.read(slide).xy
        if len(xy) != self.dataset.tiles_per_slide:
            raise InvalidInput(
                f"{slide} has {len(xy):,} tiles; a slide of '{self.dataset.name}' has"
                f" {self.dataset.tiles_per_slide:,}.",
                hint=f"Extract or import it again with --slides {slide} --existing replace.",
            )
        return xy

    @cached_property
    def _axes(self) -> PrincipalAxes:
        some = self.names[:: max(1, len(self.names) // _AXES_FROM)][:_AXES_FROM]
        return principal_axes(map(self._read, some))

    def _common_axes(self) -> PrincipalAxes:
        with self._finding_axes:
            return self._axes

    def tasks(
        self, pairs: Sequence[SlidePair], wanted: Iterable[Slide]
    ) -> list[tuple[SlidePair, SearchedSlide, SearchedSlide]]:
        """The tasks of ``PairMetrics``. Nothing else holds the slides, so that they go when they are done.

        Args:
            pairs: of no more slides than are held at once.
            wanted: the slides of these pairs and of the next: where there is no room, others go first.
        """
        needed = {slide for pair in pairs for slide in (pair.a, pair.b)}
        absent = sorted(needed - self._loaded.keys())
        keep, n_over = set(wanted), max(0, len(self._loaded) + len(absent) - self.capacity)
        for slide in sorted(self._loaded, key=lambda slide: slide in keep)[:n_over]:
            del self._loaded[slide]
        for slide, searched in zip(absent, self.readers.map(self._search, absent), strict=True):
            self._own[slide], self._loaded[slide] = searched.own, searched
        return [(pair, self._loaded[pair.a], self._loaded[pair.b]) for pair in pairs]

    def _search(self, slide: Slide) -> SearchedSlide:
        return searched_slide(self._read(slide), self._common_axes, self.limit, self.engine, self._own.get(slide))

    def _read(self, slide: Slide) -> SlideVectors:
        embeddings = self.store.read(slide)
        if not np.array_equal(self._xy, embeddings.xy):
            raise InvalidInput(
                f"{slide} and {self.names[0]} have other tiles ({len(embeddings.xy):,} and {len(self._xy):,}, or at"
                " other places), so rows do not match.",
                hint="Extract or import the wrong one again, with"
                f" --slides {slide} or {self.names[0]} --existing replace.",
            )
        every = len(self.rows) == len(embeddings.xy)
        return SlideVectors(embeddings.vectors if every else embeddings.vectors[self.rows])
