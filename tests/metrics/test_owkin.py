import numpy as np
import oracle
import pytest
from vectors import large_pair, random_pair

from plismbench.metrics import owkin
from plismbench.metrics.owkin import owkin_numbers
from plismbench.search.vectors import SlideVectors


def compute_slowly(a, b, ks):
    """The formulas of plism-benchmark with NumPy's own float16, the whole matrix at once."""
    both = np.concatenate([a, b])
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(both, axis=1, keepdims=True)
        cosines = np.matmul(both, both.T) / (norms * norms.T)
        mean = float(np.diag(cosines[: len(a), len(a) :]).mean())
        order = np.argpartition(-cosines, range(1, max(ks) + 1), axis=1)[:, 1 : max(ks) + 1]
    counterpart = np.roll(np.arange(len(both)), len(a))
    hits = {k: (order[:, :k] == counterpart[:, None]).any(axis=1) for k in ks}
    return mean, {k: found[: len(a)].astype(int) + found[len(a) :] for k, found in hits.items()}


@pytest.mark.parametrize("pair", [random_pair, large_pair])
@pytest.mark.parametrize("block", [500, 2**22])
def test_numbers_are_those_of_float16(monkeypatch, pair, block):
    monkeypatch.setattr(owkin, "_BLOCK", block)
    ks = (1, 3, 5, 10)
    a, b = pair(n=80, dim=48)
    found = owkin_numbers(SlideVectors(a), SlideVectors(b), ks)
    cosine, hits = compute_slowly(a, b, ks)
    np.testing.assert_equal(found.cosine, cosine)  # NaN where norms overflow, as there
    for k in ks:
        np.testing.assert_array_equal(found.hits[k], hits[k])


def test_rounding_moves_little_but_does_move():
    a, b = random_pair(n=200, dim=64, noise=0.9)
    found = owkin_numbers(SlideVectors(a), SlideVectors(b), (10,))
    exact = oracle.cosine(a, b)
    assert found.cosine != exact
    assert found.cosine == pytest.approx(exact, abs=1e-3)
    assert found.hits[10].sum() / 400 == pytest.approx(oracle.accuracy(a, b, 10), abs=0.01)
