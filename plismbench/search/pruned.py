"""Counting on the CPU with few multiplications.

Split each unit vector into its leading columns and the length of the rest. By Cauchy and Schwarz

    a · b  ≤  a_lead · b_lead + ‖a_rest‖ ‖b_rest‖,

which is one inner product of the vectors (a_lead, ‖a_rest‖) and (b_lead, ‖b_rest‖). Where even that
is below the least score, the rest need not be multiplied. Along principal axes a few hundred
columns decide all but some dozens of rows for each; those few are multiplied in full. One product
serves the rows of both slides.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plismbench.search.engine import Reached
from plismbench.search.unsure import Unsure, unsure_band
from plismbench.search.vectors import Float32, Float64, Int64

_BLOCK = 2**21  # scores held at once: 8 MiB in float32, about a core's share of the cache
_GATHERED = 2**17  # numbers gathered at once for single inner products
_DENSE = 1 / 25  # with more candidates a row than this share, one matrix product is faster (measured)


@dataclass(frozen=True)
class Split:
    """A slide, its columns apart.

    Args:
        lead: (n_rows, lead + 1) float32: the leading columns, then the length of the rest.
        rest: (n_rows, dim - lead) float32: the other columns.
    """

    lead: Float32
    rest: Float32

    def whole(self) -> Float32:
        """(n_rows, dim) float32: the vectors again."""
        return np.concatenate([self.lead[:, :-1], self.rest], axis=1)


def split(vectors: Float32, lead: int) -> Split:
    """Sets the leading columns apart."""
    rest = np.ascontiguousarray(vectors[:, lead:])
    lengths = np.sqrt(np.einsum("ij,ij->i", rest, rest, dtype=np.float64))
    return Split(np.column_stack([vectors[:, :lead], lengths.astype(np.float32)]), rest)


def reaching(a: Split, b: Split, least_a: Float64, least_b: Float64, margin: float) -> tuple[Reached, Reached]:
    """See ``Engine.reaching``.

    Rows of ``a`` that are asked for meet all of ``b``, and answer for those of ``b`` on the way;
    the rows of ``b`` that are asked for meet the others of ``a`` after that.
    """
    count = _Count(a, b, unsure_band(least_a, margin), unsure_band(least_b, margin))
    asked_a, asked_b = np.isfinite(least_a), np.isfinite(least_b)
    rows = np.flatnonzero(asked_a)
    # Rows with a low least score have many candidates: side by side, so that few blocks are dense.
    count.compare(rows[np.argsort(least_a[rows])], np.arange(len(least_b)))
    if asked_b.any():
        count.compare(np.flatnonzero(~asked_a), np.flatnonzero(asked_b))
    return count.result()


class _Count:
    def __init__(self, a: Split, b: Split, band_a: tuple[Float32, Float32], band_b: tuple[Float32, Float32]) -> None:
        self._a, self._b, self._band_a, self._band_b = a, b, band_a, band_b
        self._sure_a, self._sure_b = np.zeros(len(a.lead), np.int64), np.zeros(len(b.lead), np.int64)
        self._unsure_a, self._unsure_b = Unsure(len(a.lead)), Unsure(len(b.lead))

    def compare(self, rows: Int64, columns: Int64) -> None:
        """Some rows of ``a`` with some of ``b``, in blocks."""
        a, b = self._a, self._b
        every = len(columns) == len(b.lead)
        lead_b, low_b = (b.lead, self._band_b[0]) if every else (b.lead[columns], self._band_b[0][columns])
        size = max(1, _BLOCK // max(1, len(columns)))
        scores = np.empty((min(size, len(rows)), len(columns)), np.float32)
        masks = np.empty((2, *scores.shape), bool)
        for start in range(0, len(rows), size):
            block = rows[start : start + size]
            bounds = scores[: len(block)]
            np.matmul(a.lead[block], lead_b.T, out=bounds)
            found = _reached(bounds, self._band_a[0][block], low_b, masks)
            if len(found) > _DENSE * bounds.size:
                rest_b = b.rest if every else b.rest[columns]
                bounds -= a.lead[block, -1:] * lead_b[:, -1]
                bounds += a.rest[block] @ rest_b.T
                found = _reached(bounds, self._band_a[0][block], low_b, masks)
                some, others = np.divmod(found, len(columns))
                self._add(block[some], columns[others], bounds.reshape(-1)[found])
            else:
                some, others = np.divmod(found, len(columns))
                of_a, of_b = block[some], columns[others]
                self._add(of_a, of_b, self._in_full(of_a, of_b, bounds.reshape(-1)[found]))

    def result(self) -> tuple[Reached, Reached]:
        return self._unsure_a.reached(self._sure_a), self._unsure_b.reached(self._sure_b)

    def _in_full(self, of_a: Int64, of_b: Int64, bounds: Float32) -> Float32:
        """The inner products themselves, from their bounds."""
        a, b = self._a, self._b
        scores: Float32 = bounds - a.lead[of_a, -1] * b.lead[of_b, -1]
        step = max(1, _GATHERED // max(1, a.rest.shape[1]))
        for start in range(0, len(scores), step):
            some = slice(start, start + step)
            scores[some] += np.einsum("ij,ij->i", a.rest[of_a[some]], b.rest[of_b[some]])
        return scores

    def _add(self, of_a: Int64, of_b: Int64, scores: Float32) -> None:
        for own, others, (low, high), sure, unsure in (
            (of_a, of_b, self._band_a, self._sure_a, self._unsure_a),
            (of_b, of_a, self._band_b, self._sure_b, self._unsure_b),
        ):
            surely = scores >= high[own]
            sure += np.bincount(own[surely], minlength=len(sure))
            maybe = np.flatnonzero((scores >= low[own]) & ~surely)  # few: far cheaper to take out than by a mask
            unsure.add(own[maybe], others[maybe])


def _reached(scores: Float32, low_rows: Float32, low_columns: Float32, masks: npt.NDArray[np.bool_]) -> Int64:
    """Flat positions of the scores that reach the limit of their row or of their column."""
    of_row, of_column = masks[:, : len(scores)]
    np.greater_equal(scores, low_rows[:, None], out=of_row)
    np.greater_equal(scores, low_columns, out=of_column)
    np.logical_or(of_row, of_column, out=of_row)
    return np.flatnonzero(of_row)
