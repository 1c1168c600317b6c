import doctest

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import PAIRS, collapsed_pair, random_pair

from plismbench.errors import ShapeMismatch
from plismbench.metrics import cosine
from plismbench.metrics.cosine import paired_cosines
from plismbench.search.on_host import HostArithmetic, OnHost
from plismbench.search.vectors import SlideVectors


def compute(a, b):
    slides = [OnHost(SlideVectors(np.asarray(vectors, np.float16)), None) for vectors in (a, b)]
    return paired_cosines(*(slide.moments for slide in slides), HostArithmetic().paired(*slides))


@pytest.mark.parametrize("pair", PAIRS)
def test_cosines_are_those_of_the_oracle(pair):
    a, b = PAIRS[pair]()
    found = compute(a, b)
    assert found.matched.mean() == pytest.approx(oracle.cosine(a, b), abs=1e-12)
    assert found.random == pytest.approx(oracle.random_cosine(a, b), abs=1e-12)
    assert found.centred.mean() == pytest.approx(oracle.centred_cosine(a, b), abs=1e-10)


def test_many_tiles_are_done_in_pieces():
    a, b = random_pair(n=5_000, dim=64)
    expected = np.sum(oracle.unit(a) * oracle.unit(b), axis=1)
    np.testing.assert_allclose(compute(a, b).matched, expected, atol=1e-12)


def test_a_collapsed_model_has_cosine_one_and_nothing_else():
    found = compute(*collapsed_pair())
    assert found.matched.mean() == pytest.approx(1)
    assert found.random == pytest.approx(1)
    assert (found.lift, found.centred.tolist()) == (0.0, [0.0] * 60)


def test_lift_by_hand():
    # Matched tiles are equal, others at right angles: all that could be lifted is.
    found = compute([[1, 0], [0, 1]], [[2, 0], [0, 3]])
    assert (found.random, found.lift) == (0.0, 1.0)
    # Matched .8, others .6 (row 0 with row 1 on the other slide, and the other way round).
    found = compute([[1, 0], [0, 1]], [[0.8, 0.6], [0.6, 0.8]])
    assert found.random == pytest.approx(0.6, abs=1e-3)
    assert found.lift == pytest.approx(0.5, abs=2e-3)
    assert compute([[1, 2]], [[1, 2]]).random == 0.0  # one tile has no other


def test_a_common_shift_raises_the_cosine_but_not_the_centred_one():
    a, b = random_pair(n=400)
    plain, shifted = compute(a, b), compute(a + 20, b + 20)
    assert plain.matched.mean() < 0.8 < 0.98 < shifted.matched.mean()
    assert shifted.random > 0.95
    assert shifted.centred.mean() == pytest.approx(plain.centred.mean(), abs=0.03)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), dim=st.integers(1, 40))
def test_swapping_and_permuting_change_nothing(seed, n, dim):
    a, b = random_pair(n, dim, 0.7, seed)
    order = np.random.default_rng(seed).permutation(n)
    found = compute(a, b)
    for other in (compute(b, a), compute(a[order], b[order]), compute(4 * a, 2 * b)):
        for name in ("matched", "centred"):
            assert getattr(other, name).mean() == pytest.approx(getattr(found, name).mean(), abs=1e-9)
        assert other.random == pytest.approx(found.random, abs=1e-12)


def test_slides_of_other_size_are_refused():
    a, b = random_pair()
    with pytest.raises(ShapeMismatch, match=r"\(60, 24\) and \(59, 24\)"):
        compute(a, b[1:])


def test_the_example_in_the_docstring_holds():
    assert doctest.testmod(cosine).failed == 0
