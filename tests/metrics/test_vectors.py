import numpy as np
import pytest
from oracle import unit
from vectors import PAIRS

from plismbench.errors import NonFiniteValue, ShapeMismatch
from plismbench.metrics.vectors import SlideVectors, chunks


@pytest.mark.parametrize("pair", PAIRS)
def test_directions_are_those_of_the_stored_vectors(pair):
    stored, _ = PAIRS[pair]()
    vectors = SlideVectors(stored)
    np.testing.assert_allclose(vectors.unit, unit(stored), atol=2e-7)
    np.testing.assert_allclose(vectors.exact(np.arange(len(stored))), unit(stored), atol=1e-15)
    np.testing.assert_allclose(vectors.exact(slice(3, 9)), unit(stored)[3:9], atol=1e-15)


@pytest.mark.parametrize("dim", [3, 768, 4_608])
def test_float32_products_stay_within_the_stated_rounding(dim):
    random = np.random.default_rng(dim)
    vectors = SlideVectors(np.abs(random.standard_normal((40, dim))).astype(np.float16))
    exact = unit(vectors.stored) @ unit(vectors.stored).T
    assert np.abs(vectors.unit @ vectors.unit.T - exact).max() <= vectors.rounding


def test_norms_above_the_range_of_float16_are_right():
    assert SlideVectors(np.full((1, 400), 60_000, np.float16)).norms[0] == pytest.approx(20 * 60_000, rel=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    with pytest.raises(NonFiniteValue):
        SlideVectors(np.array([[1, bad]], np.float16))


def test_other_types_are_refused():
    with pytest.raises(ShapeMismatch, match="float32"):
        SlideVectors(np.ones((2, 2), np.float32))


def test_chunks_cover_every_row_once():
    rows = np.concatenate([np.arange(1_000)[piece] for piece in chunks(1_000, 3_000)])
    assert rows.tolist() == list(range(1_000))
    assert list(chunks(0, 10)) == []
