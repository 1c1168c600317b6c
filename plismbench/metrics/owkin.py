"""The numbers of plism-benchmark, rounding included, to check against what was published with it.

Its formulas are those of this package, but every dot product, norm, product of norms and quotient
is rounded to float16, which leaves some hundred different cosines; equal ones are ordered by a
partition that assumes each tile to be its own nearest. A norm above 255.9 overflows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plismbench.search.engine import check_same_shape
from plismbench.search.vectors import Float64, Int64, SlideVectors

_BLOCK = 2**22  # cosines at once


@dataclass(frozen=True)
class OwkinNumbers:
    """What plism-benchmark finds for a pair.

    Args:
        cosine: mean over the tiles, in float16.
        matched: (n_tiles,) float64 cosines of counterparts, each rounded to float16.
        hits: for each k, (n_tiles,) int64: 0, 1 or 2 of the tiles at each place are hits.
    """

    cosine: float
    matched: Float64
    hits: dict[int, Int64]


def owkin_numbers(a: SlideVectors, b: SlideVectors, ks: Sequence[int]) -> OwkinNumbers:
    """Computes as plism-benchmark does with mixed precision (its version of 2025-06).

    Args:
        a: one slide.
        b: another; row i of both is the same tissue.
        ks: cut-offs.

    Raises:
        ShapeMismatch: if the two slides differ in tiles or in dim.
    """
    check_same_shape(a.stored.shape, b.stored.shape)
    n_tiles = len(a)
    both = np.concatenate([a.stored, b.stored])
    hits = {k: np.zeros(n_tiles, np.int64) for k in ks}
    # Overflow is part of what is repeated here.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        norms = np.linalg.norm(both, axis=1)
        dots = np.einsum("ij,ij->i", a.stored, b.stored, dtype=np.float32).astype(np.float16)
        matched = dots / (norms[:n_tiles] * norms[n_tiles:])
        for rows, cosines in _cosines(both, norms):
            order = np.argpartition(-cosines, range(1, max(ks) + 1), axis=1)[:, 1 : max(ks) + 1]
            found = order == ((rows + n_tiles) % (2 * n_tiles))[:, None]
            for k in ks:
                np.add.at(hits[k], rows % n_tiles, found[:, :k].any(axis=1))
    return OwkinNumbers(float(matched.mean()), matched.astype(np.float64), hits)


def _cosines(
    both: npt.NDArray[np.float16], norms: npt.NDArray[np.float16]
) -> Iterator[tuple[Int64, npt.NDArray[np.float16]]]:
    """Some rows at a time of the cosines of all tiles with all; NumPy sums float16 products in float32."""
    wide = both.astype(np.float32)
    size = max(1, _BLOCK // len(both))
    for start in range(0, len(both), size):
        rows = np.arange(start, min(start + size, len(both)))
        dots = (wide[rows] @ wide.T).astype(np.float16)
        yield rows, dots / (norms[rows, None] * norms[None, :])
