"""What scores in float32 leave open: how wrong they may be, and the pairs of tiles that they cannot decide."""

import numpy as np

from plismbench.search.engine import Reached
from plismbench.search.vectors import Float32, Float64, Int64

MOST_UNSURE = 64
"""Unsure pairs that are listed for a row."""


def float32_rounding(dim: int) -> float:
    """Largest error of a float32 inner product of two unit vectors of float32.

    With u = 2⁻²⁴, the product of two unit vectors is off by at most dim·u in whatever order it
    is summed (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), each vector
    by u a component, and sums and differences of a few such numbers by u each.
    """
    return float((dim + 16) * 2.0**-24)


def unsure_band(least: Float64, margin: float) -> tuple[Float32, Float32]:
    """Float32 scores from the first on are unsure, from the second on sure; both rounded outwards."""
    with np.errstate(over="ignore"):
        low = np.nextafter((least - margin).astype(np.float32), np.float32(-np.inf))
        high = np.nextafter((least + margin).astype(np.float32), np.float32(np.inf))
    low[np.isinf(least)] = np.inf
    return low, high


class Unsure:
    """Collects the unsure pairs of a slide's rows, few for each."""

    def __init__(self, n_rows: int) -> None:
        self._counts = np.zeros(n_rows, np.int64)
        self._pairs: list[Int64] = [np.empty((0, 2), np.int64)]

    def add(self, own: Int64, others: Int64) -> None:
        """Takes pairs of own rows and rows of the other slide; those of a row that has too many are let go."""
        self._counts += np.bincount(own, minlength=len(self._counts))
        few = self._counts[own] <= MOST_UNSURE
        self._pairs.append(np.stack([own[few], others[few]], axis=1))

    def reached(self, sure: Int64) -> Reached:
        """What the rows reach, with the pairs of those that have few, and which have too many."""
        crowded = self._counts > MOST_UNSURE
        pairs = np.concatenate(self._pairs)
        return Reached(sure, pairs[~crowded[pairs[:, 0]]], crowded)
