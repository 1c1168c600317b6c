import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plismbench.leaderboard.significance import holm, signed_rank


@pytest.mark.parametrize("n", [1, 2, 3, 10, 46])
def test_all_above_zero_is_the_least_likely_choice_of_signs(n):
    assert signed_rank(np.arange(1.0, n + 1)) == pytest.approx(0.5**n, rel=1e-12)
    assert signed_rank(-np.arange(1.0, n + 1)) == 1


@pytest.mark.parametrize("shift", [-0.5, 0.0, 0.2, 1.0])
@pytest.mark.parametrize("n", [5, 12, 46])
def test_it_agrees_with_scipy(n, shift):
    differences = np.random.default_rng(n).standard_normal(n) + shift
    expected = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
    assert signed_rank(differences) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=0, max_size=9))
def test_ties_and_zeros_as_by_trying_every_choice_of_signs(values):
    values = np.array(values, np.float64)
    kept = values[values != 0]
    ranks = stats.rankdata(np.abs(kept))
    found = ranks[kept > 0].sum()
    sums = [sum(itertools.compress(ranks, signs)) for signs in itertools.product([0, 1], repeat=len(kept))]
    assert signed_rank(values) == pytest.approx(np.mean([total >= found for total in sums]), abs=1e-12)


def test_under_no_difference_it_is_wrong_as_often_as_it_says():
    random = np.random.default_rng(0)
    wrong = np.mean([signed_rank(random.standard_normal(20)) <= 0.05 for _ in range(2_000)])
    assert 0.03 < wrong <= 0.065


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5]) == [0.5]
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_as_the_step_down_procedure(p_values):
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for i, place in enumerate(order):
            if p_values[place] * (m - i) > alpha:
                break
            rejected.add(place)
        assert {place for place, p in enumerate(holm(p_values)) if p <= alpha} == rejected
