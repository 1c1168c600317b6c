import numpy as np
import pytest

from plismbench.search import pruned


def make_slides(n, dim, seed=0):
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((2, n, dim)) * np.arange(1, dim + 1) ** -0.5
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)


def count(a, b, least_a, least_b, lead):
    found = pruned.reaching(pruned.split(a, lead), pruned.split(b, lead), least_a, least_b, 1e-6)
    return tuple(of.sure for of in found)


def test_the_bound_is_never_below_the_score():
    a, b = make_slides(200, 50)
    for lead in (1, 10, 49, 50):
        bounds = pruned.split(a, lead).lead @ pruned.split(b, lead).lead.T
        assert (bounds >= a @ b.T - 1e-6).all()


def test_a_split_slide_is_whole_again():
    a, _ = make_slides(20, 10)
    for lead in (1, 4, 10):
        np.testing.assert_array_equal(pruned.split(a, lead).whole(), a)


@pytest.mark.parametrize("dense", [0.0, 1.0])
@pytest.mark.parametrize("block", [7 * 150, 2**21])
def test_neither_blocks_nor_their_treatment_leave_a_trace(monkeypatch, dense, block):
    # With 0 every block is multiplied in full, with 1 no block is.
    monkeypatch.setattr(pruned, "_DENSE", dense)
    monkeypatch.setattr(pruned, "_BLOCK", block)
    a, b = make_slides(150, 60)
    random = np.random.default_rng(1)
    least_a, least_b = random.uniform(-0.1, 0.6, (2, 150)) + np.where(random.random((2, 150)) < 0.3, np.inf, 0)
    found = count(a, b, least_a, least_b, 20)
    scores = a.astype(np.float64) @ b.astype(np.float64).T
    np.testing.assert_array_equal(found[0], (scores >= least_a[:, None]).sum(axis=1))
    np.testing.assert_array_equal(found[1], (scores >= least_b).sum(axis=0))
    assert found[0].sum() > 1_000


def test_most_rows_are_decided_by_the_leading_columns(monkeypatch):
    multiplied = []
    in_full = pruned._Count._in_full
    monkeypatch.setattr(
        pruned._Count, "_in_full", lambda self, i, j, bounds: multiplied.append(len(i)) or in_full(self, i, j, bounds)
    )
    random = np.random.default_rng(0)
    a = random.standard_normal((400, 256)) * np.arange(1, 257) ** -0.7
    b = a + 0.2 * random.standard_normal(a.shape) * np.arange(1, 257) ** -0.7
    a, b = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (a, b))
    least = np.einsum("ij,ij->i", a, b).astype(np.float64)
    count(a, b, least, least, 64)
    assert 400 <= sum(multiplied) < 0.02 * 400 * 400
