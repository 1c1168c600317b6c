"""The tiles of a pair of slides whose counterpart is found last, and what is found instead."""

from dataclasses import dataclass

import numpy as np

from plismbench.metrics.retrieval import exact_ranks
from plismbench.search.vectors import Float64, Int64, SlideVectors, chunks

LOOKED_AT = 512
"""Tiles of a slide that are ranked in full: the cost grows with them, and a handful is shown."""

_DECIMALS = 12  # of similarities that are compared, as `plismbench.metrics.retrieval.TIE`: products differ beyond


@dataclass(frozen=True)
class Candidate:
    """A tile that was found.

    Args:
        row: of the tile.
        own: whether it is on the slide of the query, and not on the other.
        cosine: its similarity to the query.
    """

    row: int
    own: bool
    cosine: float


@dataclass(frozen=True)
class Miss:
    """A tile whose counterpart is not among the nearest.

    Args:
        row: of the tile, and of its counterpart.
        rank: of the counterpart, from 0.
        cosine: similarity to the counterpart.
        found: the nearest of all other tiles, the nearest first.
    """

    row: int
    rank: int
    cosine: float
    found: tuple[Candidate, ...]


def worst_misses(
    queries: SlideVectors, gallery: SlideVectors, labels: Int64, *, k: int, n_misses: int, n_found: int
) -> tuple[Miss, ...]:
    """The misses at k with the farthest counterparts, at most one for each label, the farthest first.

    One for each label, because neighbouring tiles fail alike. At most ``LOOKED_AT`` tiles are ranked,
    evenly spaced over the rows; of equal ranks the lower row goes first, and of equal similarities a
    tile of the query's own slide, then the lower row. So the same vectors give the same misses.

    Args:
        queries: the slide that the tiles are on.
        gallery: the other slide; row i of both is the same tissue.
        labels: (n_tiles,) int64, such as the tissue core.
        k: a counterpart of rank k or more is missed.
        n_misses: how many are wanted.
        n_found: how many neighbours of each.

    Raises:
        ShapeMismatch: if the slides differ in tiles or in dim.
    """
    rows = np.unique(np.linspace(0, len(queries) - 1, min(LOOKED_AT, len(queries))).round().astype(np.int64))
    ranks = exact_ranks(queries, gallery, rows)
    chosen: dict[int, tuple[int, int]] = {}
    for place in np.argsort(-ranks, kind="stable"):
        if ranks[place] < k or len(chosen) == n_misses:
            break
        chosen.setdefault(int(labels[rows[place]]), (int(rows[place]), int(ranks[place])))
    return tuple(_miss(queries, gallery, row, rank, n_found) for row, rank in chosen.values())


def _miss(queries: SlideVectors, gallery: SlideVectors, row: int, rank: int, n_found: int) -> Miss:
    query, n_tiles = queries.exact(np.array([row]))[0], len(queries)
    scores = np.concatenate([_cosines(query, queries), _cosines(query, gallery)])
    cosine = float(scores[n_tiles + row])
    scores[[row, n_tiles + row]] = -np.inf  # neither itself nor the counterpart
    nearest = np.argsort(-scores.round(_DECIMALS), kind="stable")[:n_found]
    found = (Candidate(int(at % n_tiles), bool(at < n_tiles), float(scores[at])) for at in nearest)
    return Miss(row, rank, cosine, tuple(found))


def _cosines(query: Float64, slide: SlideVectors) -> Float64:
    return np.concatenate([slide.exact(part) @ query for part in chunks(len(slide), slide.dim)])
