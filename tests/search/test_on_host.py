import numpy as np
from vectors import random_pair

from plismbench.search.on_host import HostArithmetic, OnHost
from plismbench.search.vectors import SlideVectors


def test_the_pieces_of_a_large_slide_leave_no_trace():
    a, b = (OnHost(SlideVectors(vectors), None) for vectors in random_pair(n=3_000, dim=64))
    some = [OnHost(SlideVectors(slide.vectors.stored[1_000:1_010]), None) for slide in (a, b)]
    search = HostArithmetic()
    np.testing.assert_array_equal(search.paired(a, b).matched[1_000:1_010], search.paired(*some).matched)
    pairs = np.stack([np.arange(3_000), np.arange(3_000)], axis=1)
    np.testing.assert_array_equal(search.products(a, b, pairs), search.paired(a, b).matched)
