"""Two classical procedures, exactly: Wilcoxon's signed-rank test and Holm's correction."""

from collections.abc import Sequence

import numpy as np

from plismbench.search.vectors import Float64


def signed_rank(differences: Float64) -> float:
    """One-sided p-value of Wilcoxon's signed-rank test that differences tend to be above zero.

    Exact at any number of units: the distribution of the rank sum over all 2ⁿ choices of signs.
    Zeros are left out, as Wilcoxon did; ties share the mean of their ranks, and the distribution
    is the one given these ties.

    Args:
        differences: (n_units,) float64, of units that are independent of one another.

    Returns:
        P(W⁺ at least as large as found); 1 where every difference is zero. All n above zero give 2⁻ⁿ:

            >>> signed_rank(np.array([0.1, 0.2, 0.3]))
            0.125
    """
    kept = differences[differences != 0]
    _, place, counts = np.unique(np.abs(kept), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    doubled = (2 * last - counts + 1)[place]  # twice the mean rank of each: a whole number
    chances = np.ones(1)
    for rank in doubled:
        longer = np.zeros(len(chances) + rank)
        longer[: len(chances)] += chances / 2
        longer[rank:] += chances / 2
        chances = longer
    return min(1.0, float(chances[int(doubled[kept > 0].sum()) :].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, by Holm's step-down procedure; in the order given.

    The i-th smallest of m becomes the largest of (m − j + 1) p₍ⱼ₎ over j ≤ i, at most 1:

        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    m = len(p_values)
    order = sorted(range(m), key=p_values.__getitem__)
    corrected = [0.0] * m
    largest = 0.0
    for done, place in enumerate(order):
        largest = max(largest, min(1.0, (m - done) * p_values[place]))
        corrected[place] = largest
    return corrected
