import doctest

import numpy as np
import oracle
import pytest
from vectors import PAIRS, random_pair

from plismbench.errors import ShapeMismatch
from plismbench.metrics import cosine
from plismbench.metrics.cosine import paired_cosine
from plismbench.metrics.vectors import SlideVectors


@pytest.mark.parametrize("pair", PAIRS)
def test_cosine_is_that_of_the_oracle(pair):
    a, b = PAIRS[pair]()
    found = paired_cosine(SlideVectors(a), SlideVectors(b))
    assert found.mean() == pytest.approx(oracle.cosine(a, b), abs=1e-12)


def test_many_tiles_are_done_in_pieces():
    a, b = random_pair(n=5_000, dim=64)
    expected = np.sum(oracle.unit(a) * oracle.unit(b), axis=1)
    np.testing.assert_allclose(paired_cosine(SlideVectors(a), SlideVectors(b)), expected, atol=1e-12)


def test_zeros_have_cosine_zero():
    a = np.array([[0, 0], [1, 1]], np.float16)
    assert paired_cosine(SlideVectors(a), SlideVectors(a)).tolist() == [0.0, pytest.approx(1.0)]


def test_slides_of_other_size_are_refused():
    a, b = random_pair()
    with pytest.raises(ShapeMismatch, match=r"\(60, 24\) and \(59, 24\)"):
        paired_cosine(SlideVectors(a), SlideVectors(b[1:]))


def test_the_example_in_the_docstring_holds():
    assert doctest.testmod(cosine).failed == 0
