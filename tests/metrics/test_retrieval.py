import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vectors import PAIRS, collapsed_pair, random_pair

from plismbench.errors import InvalidInput, ShapeMismatch
from plismbench.metrics.retrieval import (
    chance,
    check_cutoffs,
    counterpart_ranks,
    exact_ranks,
    searched_slide,
    top_k_accuracy,
)
from plismbench.search.engine import ENGINES, engine
from plismbench.search.exact import ExactEngine
from plismbench.search.vectors import PrincipalAxes, SlideVectors, principal_axes


def compute_ranks(a, b, limit, name="faiss", lead=None, search=None):
    search = search or engine(name)
    slides = [SlideVectors(np.asarray(vectors, np.float16)) for vectors in (a, b)]
    axes = principal_axes(slides)
    if lead is not None:
        axes = PrincipalAxes(axes.axes, lead)
    searched = [searched_slide(vectors, lambda: axes, limit, search) for vectors in slides]
    matched = search.paired(*(slide.placed for slide in searched)).matched
    return counterpart_ranks(*searched, matched, limit, search)


@pytest.mark.parametrize(("name", "lead"), [*((name, None) for name in ENGINES), ("faiss", 1), ("faiss", 8)])
@pytest.mark.parametrize("limit", [1, 3, 10, 59, 118])
@pytest.mark.parametrize("pair", PAIRS)
def test_ranks_are_those_of_the_oracle(pair, limit, name, lead):
    a, b = PAIRS[pair]()
    found = compute_ranks(a, b, limit, name, lead)
    expected_a, expected_b = oracle.ranks(a, b)
    np.testing.assert_array_equal(found.a, np.minimum(expected_a, limit))
    np.testing.assert_array_equal(found.b, np.minimum(expected_b, limit))
    for k in {1, limit}:
        assert top_k_accuracy(found.hits(k)) == pytest.approx(oracle.accuracy(a, b, k), abs=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_ranks_of_a_few_tiles_are_those_of_the_oracle(pair):
    a, b = PAIRS[pair]()
    rows = np.array([3, 0, 59, 17, 8])
    expected_a, expected_b = oracle.ranks(a, b)
    a, b = (SlideVectors(vectors) for vectors in (a, b))
    np.testing.assert_array_equal(exact_ranks(a, b, rows), expected_a[rows])
    np.testing.assert_array_equal(exact_ranks(b, a, rows), expected_b[rows])
    with pytest.raises(ShapeMismatch):
        exact_ranks(a, SlideVectors(b.stored[1:]), rows)


def test_near_duplicates_are_decided_by_the_stored_values_and_not_by_rounding():
    # The oracle itself must see differences here, or the case above proves nothing.
    a, b = PAIRS["nearly_duplicated_pair"]()
    similarity = oracle.unit(a) @ oracle.unit(b).T
    distinct = np.unique(similarity.round(13))
    assert 2 <= len(distinct) < 100
    assert np.ptp(distinct) < 2.0**-18
    assert len(np.unique(similarity.astype(np.float32))) < len(distinct)


def test_four_tiles_by_hand():
    # Tile 0 finds its counterpart first; tile 1 is closer to tile 0 of both slides; tiles 2 and 3 swap.
    a = [[1, 0, 0], [0.75, 0.5, 0], [0, 0, 1], [0, 0.25, 1]]
    b = [[1, 0, 0], [0, 1, 0.25], [0, 0.25, 1], [0, 0, 1]]
    found = compute_ranks(a, b, 6, "exact")
    # a0: b0 is identical (rank 0). a1 ~ b1: cos .539; a0 and b0 at .832 are nearer: rank 2.
    # a2 ~ b2: .970; b3 is identical: rank 1, and a3 ties at .970: rank 2. a3 likewise: a2 ties, b2 nearer.
    assert found.a.tolist() == [0, 2, 2, 2]
    # b1 ~ a1: .539; the four tiles near the third axis: a3 and b2 at .471, a2 and b3 at .243: rank 0.
    assert found.b.tolist() == [0, 0, 2, 2]
    assert top_k_accuracy(found.hits(1)) == 3 / 8
    assert top_k_accuracy(found.hits(3)) == 1.0


def test_a_collapsed_model_scores_zero_and_identical_slides_score_one():
    a, b = collapsed_pair()
    assert top_k_accuracy(compute_ranks(a, b, 10).hits(10)) == 0
    distinct, _ = random_pair()
    assert top_k_accuracy(compute_ranks(distinct, distinct, 10).hits(1)) == 1


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), noise=st.floats(0.1, 3), n=st.integers(3, 40), dim=st.integers(2, 40))
def test_swapping_scaling_and_permuting_change_nothing(seed, noise, n, dim):
    a, b = random_pair(n, dim, noise, seed)
    limit = min(10, 2 * n - 2)
    found = compute_ranks(a, b, limit)
    swapped = compute_ranks(b, a, limit)
    np.testing.assert_array_equal(found.a, swapped.b)
    np.testing.assert_array_equal(found.b, swapped.a)
    np.testing.assert_array_equal(compute_ranks(4 * a, 2 * b, limit).a, found.a)  # powers of two are exact in float16
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(compute_ranks(a[order], b[order], limit).a, found.a[order])


@pytest.mark.parametrize("name", ENGINES)
def test_hundreds_of_duplicates_are_counted_in_full(name):
    # On one slide blank tiles are one vector, on the other they differ: every one ties with every other.
    a, b = random_pair(n=300, dim=16, noise=0.3)
    b[::2] = b[0]
    of_a, of_b = oracle.ranks(a, b)
    for limit in (4, 200):
        found, swapped = compute_ranks(a, b, limit, name), compute_ranks(b, a, limit, name)
        for ranks in ((found.a, found.b), (swapped.b, swapped.a)):
            np.testing.assert_array_equal(ranks, np.minimum((of_a, of_b), limit))


def test_neighbours_that_rounding_cannot_tell_are_settled_once_a_slide():
    # Matrix units of a GPU round so much that some tiles of every slide are left unclear by their float32 scores.
    class Coarse(ExactEngine):
        def rounding(self, dim):
            return 2e-3

        def count(self, a, b, rows, least):
            looked_through.extend(rows)
            return super().count(a, b, rows, least)

    looked_through = []
    a, b = random_pair(400, 16, 1.2)
    found = compute_ranks(a, b, 10, search=Coarse())
    assert looked_through == []
    for ours, expected in zip((found.a, found.b), oracle.ranks(a, b), strict=True):
        np.testing.assert_array_equal(ours, np.minimum(expected, 10))
    duplicates, others = (np.concatenate([np.tile(some[:1], (100, 1)), some]) for some in (a, b))
    found = compute_ranks(duplicates, others, 10, search=Coarse())
    for ours, expected in zip((found.a, found.b), oracle.ranks(duplicates, others), strict=True):
        np.testing.assert_array_equal(ours, np.minimum(expected, 10))


def test_hits_are_told_for_each_place():
    a, b = random_pair()
    found = compute_ranks(a, b, 10)
    expected = [np.asarray(ranks) < 3 for ranks in oracle.ranks(a, b)]
    np.testing.assert_array_equal(found.hits(3), expected[0].astype(int) + expected[1])


def test_chance_is_that_of_random_vectors():
    random = np.random.default_rng(0)
    slides = random.standard_normal((40, 2, 100, 64))
    rates = [top_k_accuracy(compute_ranks(a, b, 10, "exact").hits(10)) for a, b in slides]
    assert np.mean(rates) == pytest.approx(chance(10, 100), abs=0.01)
    assert chance(10, 8_139) == pytest.approx(6.1e-4, abs=1e-5)
    assert chance(99, 50) == 1


@pytest.mark.parametrize(
    ("ks", "words"),
    [((), "none"), ((0, 1), "0, 1"), ((3, 3), "3, 3"), ((1, 7), "k = 7 is more than the 6 candidates")],
)
def test_cut_offs_that_mean_nothing_are_refused(ks, words):
    with pytest.raises(InvalidInput, match=words):
        check_cutoffs(ks, 4)


def test_ranks_are_not_told_beyond_what_was_counted():
    a, b = random_pair()
    with pytest.raises(InvalidInput, match="k = 11"):
        top_k_accuracy(compute_ranks(a, b, 10).hits(11))


def test_slides_that_do_not_match_are_refused():
    a, b = random_pair()
    with pytest.raises(ShapeMismatch, match="same tiles and dim"):
        compute_ranks(a, b[:-1], 3)
    search = engine("exact")
    slides = [SlideVectors(vectors) for vectors in (a, b)]
    searched = [searched_slide(vectors, lambda: principal_axes(slides), 2, search) for vectors in slides]
    with pytest.raises(ShapeMismatch, match="not searched for 3"):
        counterpart_ranks(*searched, np.zeros(len(a)), 3, search)
