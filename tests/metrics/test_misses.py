import numpy as np
import oracle
import pytest
from vectors import PAIRS, collapsed_pair, random_pair

from plismbench.metrics import misses as misses_module
from plismbench.metrics.misses import Candidate, worst_misses
from plismbench.search.vectors import SlideVectors


def find(a, b, labels=None, k=1, n_misses=3, n_found=2):
    labels = np.arange(len(a)) if labels is None else np.asarray(labels)
    return worst_misses(SlideVectors(a), SlideVectors(b), labels, k=k, n_misses=n_misses, n_found=n_found)


def test_three_tiles_by_hand():
    a = np.array([[1, 0], [0, 1], [3, 4]], np.float16)
    b = np.array([[0, 1], [0, 1], [-1, 0]], np.float16)
    # Tile 0: counterpart at cosine 0; .6, 0 on its own slide, 0, -1 on the other: two ties of it and one above.
    # Tile 2: counterpart at -.6, all four others above it. Tile 1: its counterpart ties with row 0 of b.
    second, first = (row for row in find(a, b) if row.row != 1)
    if second.rank > first.rank:
        first, second = second, first
    assert (first.row, first.rank, first.cosine) == (2, 4, pytest.approx(-0.6))
    assert first.found == (Candidate(1, True, pytest.approx(0.8)), Candidate(0, False, pytest.approx(0.8)))
    assert (second.row, second.rank, second.cosine) == (0, 3, 0)
    assert second.found == (Candidate(2, True, pytest.approx(0.6)), Candidate(1, True, 0))


@pytest.mark.parametrize("pair", PAIRS)
def test_the_farthest_are_those_of_the_oracle(pair):
    a, b = PAIRS[pair]()
    ranks = oracle.ranks(a, b)[0]
    found = find(a, b, n_misses=5)
    assert [(miss.row, miss.rank) for miss in found] == sorted(
        ((row, rank) for row, rank in enumerate(ranks) if rank >= 1), key=lambda pair: (-pair[1], pair[0])
    )[:5]


def test_one_for_each_label_and_only_misses():
    a, b = random_pair(noise=2.0)
    ranks = oracle.ranks(a, b)[0]
    labels = np.arange(60) % 2
    found = find(a, b, labels, k=5)
    assert [labels[miss.row] for miss in found] in ([0, 1], [1, 0])
    for miss in found:
        assert miss.rank == max(ranks[labels == labels[miss.row]]) >= 5
    assert find(a, a) == ()


def test_ties_are_in_the_order_of_rows_on_the_own_slide_first():
    a, b = collapsed_pair(n=3)
    first, *_ = find(a, b, n_found=4)
    assert (first.row, first.rank) == (0, 4)
    assert [(found.row, found.own) for found in first.found] == [(1, True), (2, True), (1, False), (2, False)]


def test_of_many_tiles_evenly_spaced_ones_are_ranked(monkeypatch):
    monkeypatch.setattr(misses_module, "LOOKED_AT", 4)
    a, b = collapsed_pair(n=10)
    assert [miss.row for miss in find(a, b, n_misses=9)] == [0, 3, 6, 9]
