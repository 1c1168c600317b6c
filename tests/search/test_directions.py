import numpy as np
import pytest
from vectors import random_pair

from plismbench.errors import ShapeMismatch
from plismbench.search.directions import HostArithmetic, OnHost, check_same_shape
from plismbench.search.vectors import SlideVectors, chunks


def test_the_pieces_of_a_large_slide_leave_no_trace():
    a, b = (OnHost(SlideVectors(vectors), None) for vectors in random_pair(n=3_000, dim=64))
    some = [OnHost(SlideVectors(slide.vectors.stored[1_000:1_010]), None) for slide in (a, b)]
    search = HostArithmetic()
    np.testing.assert_array_equal(search.paired(a, b).matched[1_000:1_010], search.paired(*some).matched)
    pairs = np.stack([np.arange(3_000), np.arange(3_000)], axis=1)
    np.testing.assert_array_equal(search.products(a, b, pairs), search.paired(a, b).matched)


def test_slides_that_do_not_match_are_refused():
    a, b = (SlideVectors(vectors) for vectors in random_pair())
    assert check_same_shape(a.stored.shape, b.stored.shape) is None
    with pytest.raises(ShapeMismatch, match=r"\(60, 24\) and \(59, 24\)"):
        check_same_shape(a.stored.shape, b.stored[1:].shape)


def test_chunks_cover_every_row_once():
    rows = np.concatenate([np.arange(1_000)[piece] for piece in chunks(1_000, 3_000)])
    assert rows.tolist() == list(range(1_000))
    assert list(chunks(0, 10)) == []
