"""Top-k retrieval accuracy, defined once.

The gallery of a tile is every other tile of both slides of a pair. The rank of its counterpart is
the number of other candidates at least as similar to the tile as the counterpart is, so ties count
against the model; a tile is a hit at k if that rank is below k (H0-mini paper, section 2.2).

Ranks are those of exact arithmetic on the stored float16 vectors, whatever engine searched: its
float32 scores decide where they are further from the counterpart's than their rounding error, and
the few candidates in between are compared in float64. Similarities within ``TIE`` of one another
are equal.

Only ranks below ``limit = max(ks)`` matter. The nearest tiles on its own slide are found once a
slide; a tile with ``limit`` of them at least as similar as its counterpart is a miss at every k and
is not looked for on the other slide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from plismbench.errors import InvalidInput, ShapeMismatch
from plismbench.search.engine import Engine, Moments, Placed, Reached, check_same_shape
from plismbench.search.on_host import count_exactly
from plismbench.search.vectors import Float64, Int64, PrincipalAxes, SlideVectors

DEFAULT_KS = (1, 3, 5, 10)
"""The cut-offs of the published tables."""

TIE = 1e-12
"""Similarities this close are equal: far above the rounding of float64, far below that of float32."""

_LISTED = 2  # neighbours that a search lists for each that is kept: the last are clearly less similar then


@dataclass(frozen=True)
class WithinSlideNeighbors:
    """How similar each tile of a slide is to its nearest other tiles there.

    Args:
        similarities: (n_tiles, m) float64, to its m nearest.
        beyond: (n_tiles,) float64 that no tile besides those m exceeds; -inf if there is none.
    """

    similarities: Float64
    beyond: Float64


@dataclass(frozen=True)
class SearchedSlide:
    """A slide, where its engine wants it, its moments, and the nearest neighbours of each of its tiles within it."""

    vectors: SlideVectors
    placed: Placed
    moments: Moments
    own: WithinSlideNeighbors


@dataclass(frozen=True)
class CounterpartRanks:
    """The rank of the counterpart of every tile of a pair of slides.

    Args:
        a: (n_tiles,) int64, from 0 (the counterpart is nearest of all) to ``limit``, which stands
            for that rank and all above it.
        b: the same for the tiles of the other slide.
        limit: ranks from here on are not told apart.
    """

    a: Int64
    b: Int64
    limit: int

    def hits(self, k: int) -> Int64:
        """(n_tiles,) int64: how many of the two tiles at each place are hits at k: 0, 1 or 2.

        Raises:
            InvalidInput: if k is above ``limit``.
        """
        if not 1 <= k <= self.limit:
            raise InvalidInput(f"Ranks were counted up to {self.limit}; cannot tell hits at k = {k}.")
        return (self.a < k).astype(np.int64) + (self.b < k)


def top_k_accuracy(hits: Int64) -> float:
    """Hits of both slides over 2 n_tiles.

    Args:
        hits: (n_tiles,) int64, ``CounterpartRanks.hits``.
    """
    return int(hits.sum()) / (2 * len(hits))


def chance(k: int, n_tiles: int) -> float:
    """Top-k accuracy of a model that ranks at random: k of 2 n_tiles - 1 candidates."""
    return min(1.0, k / (2 * n_tiles - 1))


def check_cutoffs(ks: Sequence[int], n_tiles: int) -> None:
    """Refuses cut-offs that mean nothing.

    Raises:
        InvalidInput: if there is none, one stands twice, or one does not lie between 1 and the
            2 n_tiles - 2 candidates besides the counterpart: beyond, every tile is a hit.
    """
    if not ks or len(set(ks)) != len(ks) or min(ks) < 1:
        raise InvalidInput(f"Cut-offs k are different whole numbers from 1; got {', '.join(map(str, ks)) or 'none'}.")
    candidates = 2 * n_tiles - 2
    if max(ks) > candidates:
        raise InvalidInput(
            f"k = {max(ks)} is more than the {candidates:,} candidates besides the counterpart"
            f" on two slides of {n_tiles:,} tiles.",
            hint="Ask for a smaller k or more tiles.",
        )


def searched_slide(
    vectors: SlideVectors,
    axes: Callable[[], PrincipalAxes],
    limit: int,
    engine: Engine,
    own: WithinSlideNeighbors | None = None,
) -> SearchedSlide:
    """Hands a slide to the engine, which may rotate it, and finds its neighbours unless they are known."""
    placed = engine.place(vectors, axes)
    own = own or _within_slide_neighbors(vectors, placed, limit, engine)
    return SearchedSlide(vectors, placed, engine.moments(placed), own)


def _within_slide_neighbors(vectors: SlideVectors, placed: Placed, limit: int, engine: Engine) -> WithinSlideNeighbors:
    """Finds the ``limit`` nearest neighbours of each tile within its own slide, or all if there are fewer.

    Which they are is settled here, once a slide: more are listed than are kept, and those that the arithmetic
    of the engine cannot tell from the last one kept are compared in float64. A tile that is then left unclear
    costs a product with its whole slide in every pair: some 25 ms on a core, twice a pair.
    """
    n_tiles, rounding = len(vectors), engine.rounding(vectors.dim)
    found = engine.nearest(placed, min(_LISTED * limit + 1, n_tiles))
    # A tile is left out by its row number. Where many duplicates tie with it, it may be missing
    # from its own list: then the least similar neighbour goes instead.
    itself = found.rows == np.arange(n_tiles)[:, None]
    itself[~itself.any(axis=1), -1] = True
    scores, rows = (of[~itself].reshape(n_tiles, -1) for of in (found.scores.astype(np.float64), found.rows))
    n_listed = scores.shape[1]
    if n_listed <= limit:
        every = np.stack([np.repeat(np.arange(n_tiles), n_listed), rows.ravel()], axis=1)
        own = engine.products(placed, placed, every).reshape(n_tiles, n_listed)
        return WithinSlideNeighbors(own, np.full(n_tiles, -np.inf))
    near = scores >= scores[:, [limit - 1]] - 2 * rounding
    exact = np.full(scores.shape, -np.inf)
    exact[near] = engine.products(placed, placed, np.stack([np.nonzero(near)[0], rows[near]], axis=1))
    kept = np.sort(exact, axis=1)[:, : -limit - 1 : -1]
    beyond = np.where(near[:, -1], scores[:, -1] + rounding, -np.inf)
    return WithinSlideNeighbors(kept, np.maximum(kept[:, -1], beyond))


def counterpart_ranks(
    a: SearchedSlide, b: SearchedSlide, cosines: Float64, limit: int, engine: Engine
) -> CounterpartRanks:
    """Rank of the counterpart of every tile of both slides, counted up to ``limit``.

    Args:
        a: one slide.
        b: another, searched with the same ``limit``, axes and engine; row i of both is the same tissue.
        cosines: (n_tiles,) float64, ``paired_cosines(...).matched`` of the two.
        limit: the largest k of interest.
        engine: counts on the other slide.

    Raises:
        ShapeMismatch: if the slides differ in tiles or in dim, or were searched less far.
    """
    check_same_shape(a.vectors.stored.shape, b.vectors.stored.shape)
    if min(a.own.similarities.shape[1], b.own.similarities.shape[1]) < min(limit, len(a.vectors) - 1):
        raise ShapeMismatch(f"The slides were not searched for {limit} neighbours.")
    at_least = cosines - TIE
    own_a, own_b = (_own_ranks(slide, at_least, limit, engine) for slide in (a, b))
    least_a, least_b = (np.where(own < limit, at_least, np.inf) for own in (own_a, own_b))
    of_a, of_b = engine.reaching(a.placed, b.placed, least_a, least_b)
    return CounterpartRanks(
        _ranks(own_a, of_a, a, b, at_least, limit, engine), _ranks(own_b, of_b, b, a, at_least, limit, engine), limit
    )


def exact_ranks(queries: SlideVectors, gallery: SlideVectors, rows: Int64) -> Int64:
    """Rank of the counterpart of some tiles, however far: for a few tiles, as nothing is searched.

    Args:
        queries: the slide that the tiles are on.
        gallery: the other slide; row i of both is the same tissue.
        rows: (m,) int64, the tiles.

    Returns:
        (m,) int64 from 0 to 2 n_tiles - 2, by the rules of this module.

    Raises:
        ShapeMismatch: if the slides differ in tiles or in dim.
    """
    check_same_shape(queries.stored.shape, gallery.stored.shape)
    at_least = np.full(len(queries), np.inf)
    at_least[rows] = np.einsum("ij,ij->i", queries.exact(rows), gallery.exact(rows)) - TIE
    return count_exactly(queries, queries, rows, at_least) + count_exactly(queries, gallery, rows, at_least)


def _own_ranks(slide: SearchedSlide, at_least: Float64, limit: int, engine: Engine) -> Int64:
    ranks: Int64 = (slide.own.similarities >= at_least[:, None]).sum(axis=1).astype(np.int64)
    unclear = np.flatnonzero((ranks < limit) & (slide.own.beyond >= at_least))
    if len(unclear):
        ranks[unclear] = engine.count(slide.placed, slide.placed, unclear, at_least)
    return ranks


def _ranks(
    own: Int64,
    reached: Reached,
    queries: SearchedSlide,
    gallery: SearchedSlide,
    at_least: Float64,
    limit: int,
    engine: Engine,
) -> Int64:
    """Ranks on the own slide, and with those on the other that reach the threshold: of the unsure, those that do."""
    ranks: Int64 = own + reached.sure
    open_ranks, unsure = ranks < limit, reached.unsure
    unsure = unsure[(unsure[:, 0] != unsure[:, 1]) & open_ranks[unsure[:, 0]]]  # the counterpart is no candidate
    if len(unsure):
        query = unsure[:, 0]
        np.add.at(ranks, query, engine.products(queries.placed, gallery.placed, unsure) >= at_least[query])
    rows = np.flatnonzero(reached.crowded & open_ranks)
    if len(rows):  # some of their candidates are counted as sure already, so the other slide is counted anew
        ranks[rows] = own[rows] + engine.count(queries.placed, gallery.placed, rows, at_least)
    return np.minimum(ranks, limit)
