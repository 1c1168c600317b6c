"""Top-k retrieval accuracy, defined once.

The gallery of a tile is every other tile of both slides of a pair. The rank of its counterpart is
the number of other candidates at least as similar to the tile as the counterpart is, so ties count
against the model; a tile is a hit at k if that rank is below k (H0-mini paper, section 2.2).

Ranks are those of exact arithmetic on the stored float16 vectors, whatever engine searched: float32
scores decide where they are further from the counterpart's than their rounding error, and the few
candidates in between are compared in float64. Similarities within ``TIE`` of one another are equal.

Only ranks below ``limit = max(ks)`` matter. The nearest tiles on its own slide are found once a
slide; a tile with ``limit`` of them at least as similar as its counterpart is a miss at every k and
needs no search on the other slide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plismbench.errors import InvalidInput, ShapeMismatch
from plismbench.metrics.vectors import Rows, SlideVectors, check_counterparts, chunks
from plismbench.search.engine import Engine

Similarities = npt.NDArray[np.float64]

DEFAULT_KS = (1, 3, 5, 10)
"""The cut-offs of the published tables."""

TIE = 1e-12
"""Similarities this close are equal: far above the rounding of float64, far below that of float32."""


@dataclass(frozen=True)
class OwnNeighbors:
    """How similar each tile of a slide is to its nearest other tiles there.

    Args:
        similarities: (n_tiles, m) float64, to its m nearest.
        beyond: (n_tiles,) float64 that no tile besides those m exceeds; -inf if there is none.
    """

    similarities: Similarities
    beyond: Similarities


@dataclass(frozen=True)
class SearchedSlide:
    """A slide and the nearest neighbours of each of its tiles within it."""

    vectors: SlideVectors
    own: OwnNeighbors


@dataclass(frozen=True)
class CounterpartRanks:
    """The rank of the counterpart of every tile of a pair of slides.

    Args:
        a: (n_tiles,) int64, from 0 (the counterpart is nearest of all) to ``limit``, which stands
            for that rank and all above it.
        b: the same for the tiles of the other slide.
        limit: ranks from here on are not told apart.
    """

    a: Rows
    b: Rows
    limit: int

    def accuracy(self, k: int) -> float:
        """Top-k accuracy: hits of both slides over 2 n_tiles.

        Raises:
            InvalidInput: if k is above ``limit``.
        """
        if not 1 <= k <= self.limit:
            raise InvalidInput(f"Ranks were counted up to {self.limit}; cannot tell hits at k = {k}.")
        hits = np.count_nonzero(self.a < k) + np.count_nonzero(self.b < k)
        return hits / (len(self.a) + len(self.b))


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


def own_neighbors(vectors: SlideVectors, limit: int, engine: Engine) -> OwnNeighbors:
    """Finds the ``limit`` nearest neighbours of each tile within its own slide, or all if there are fewer."""
    n_tiles = len(vectors)
    found = engine(vectors.unit, vectors.unit, min(limit + 1, n_tiles))
    # A tile is left out by its row number. Where many duplicates tie with it, it may be missing
    # from its own list: then the least similar neighbour goes instead.
    itself = found.rows == np.arange(n_tiles)[:, None]
    itself[~itself.any(axis=1), -1] = True
    rows = found.rows[~itself].reshape(n_tiles, -1)
    own = np.empty(rows.shape)
    for chunk in chunks(n_tiles, vectors.dim * (rows.shape[1] + 1)):
        own[chunk] = np.einsum("id,imd->im", vectors.exact(chunk), _exact_lists(vectors, rows[chunk]))
    beyond = found.scores[:, -1].astype(np.float64) + vectors.rounding
    if found.rows.shape[1] == n_tiles:
        beyond[:] = -np.inf
    return OwnNeighbors(own, beyond)


def counterpart_ranks(
    a: SearchedSlide, b: SearchedSlide, cosines: Similarities, limit: int, engine: Engine
) -> CounterpartRanks:
    """Rank of the counterpart of every tile of both slides, counted up to ``limit``.

    Args:
        a: one slide.
        b: another, searched with the same ``limit``; row i of both is the same tissue.
        cosines: (n_tiles,) float64, ``paired_cosine`` of the two.
        limit: the largest k of interest.
        engine: finds neighbours on the other slide.

    Raises:
        ShapeMismatch: if the slides differ in tiles or in dim, or were searched less far.
    """
    check_counterparts(a.vectors, b.vectors)
    if min(a.own.similarities.shape[1], b.own.similarities.shape[1]) < min(limit, len(a.vectors) - 1):
        raise ShapeMismatch(f"The slides were not searched for {limit} neighbours.")
    at_least = cosines - TIE
    return CounterpartRanks(
        _ranks(a, b.vectors, at_least, limit, engine), _ranks(b, a.vectors, at_least, limit, engine), limit
    )


def _ranks(queries: SearchedSlide, other: SlideVectors, at_least: Similarities, limit: int, engine: Engine) -> Rows:
    ranks = (queries.own.similarities >= at_least[:, None]).sum(axis=1)
    unclear = np.flatnonzero((ranks < limit) & (queries.own.beyond >= at_least))
    ranks[unclear] = _count_exactly(queries.vectors, queries.vectors, unclear, at_least)
    undecided = np.flatnonzero(ranks < limit)
    if len(undecided):
        ranks[undecided] += _count_other(queries.vectors, other, undecided, at_least, limit, engine)
    return np.asarray(np.minimum(ranks, limit), np.int64)


def _count_other(
    queries: SlideVectors, other: SlideVectors, rows: Rows, at_least: Similarities, limit: int, engine: Engine
) -> Rows:
    """For each query of ``rows``, how many tiles of the other slide reach its threshold, if below ``limit``."""
    k = min(limit + 1, len(other))  # one more than counts, for the counterpart itself
    found = engine(np.ascontiguousarray(queries.unit[rows]), other.unit, k)
    threshold = at_least[rows][:, None]
    margin = queries.rounding
    candidate = found.rows != rows[:, None]
    counts = (candidate & (found.scores > threshold + margin)).sum(axis=1)

    close_query, close_column = np.nonzero(candidate & (np.abs(found.scores - threshold) <= margin))
    for chunk in chunks(len(close_query), 2 * queries.dim):
        query = close_query[chunk]
        close = other.exact(found.rows[query, close_column[chunk]])
        reaches = np.einsum("ij,ij->i", queries.exact(rows[query]), close) >= threshold[query, 0]
        np.add.at(counts, query, reaches)

    # Rows that were not listed score no more than the last that was. Unless that one is surely
    # below the threshold, or enough were counted, the list may have been too short.
    if k < len(other):
        unclear = np.flatnonzero((counts < limit) & (found.scores[:, -1] >= threshold[:, 0] - margin))
        counts[unclear] = _count_exactly(queries, other, rows[unclear], at_least)
    return np.asarray(counts, np.int64)


def _count_exactly(queries: SlideVectors, gallery: SlideVectors, rows: Rows, at_least: Similarities) -> Rows:
    """For each query of ``rows``, how many tiles of the whole gallery but that row reach its threshold."""
    counts = np.zeros(len(rows), np.int64)
    for some in chunks(len(rows), queries.dim):
        vectors, threshold = queries.exact(rows[some]), at_least[rows[some]][:, None]
        for part in chunks(len(gallery), gallery.dim):
            reaches = vectors @ gallery.exact(part).T >= threshold
            same = rows[some][:, None] == np.arange(len(gallery))[part]
            counts[some] += (reaches & ~same).sum(axis=1)
    return counts


def _exact_lists(vectors: SlideVectors, rows: Rows) -> npt.NDArray[np.float64]:
    return vectors.exact(rows.reshape(-1)).reshape(*rows.shape, vectors.dim)
