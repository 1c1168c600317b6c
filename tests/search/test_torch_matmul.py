import numpy as np
import oracle
import pytest
import torch
from vectors import PAIRS, placed, random_pair

from plismbench.metrics.retrieval import counterpart_ranks, searched_slide
from plismbench.search import torch_matmul
from plismbench.search.exact import ExactEngine
from plismbench.search.torch_matmul import TorchEngine
from plismbench.search.vectors import SlideVectors


def truncating_mm(a, b, *, out_dtype):
    """What matrix units do: 4 products of float16 and the sum so far, aligned to the largest and cut to 24 bits."""
    assert (a.dtype, b.dtype, out_dtype) == (torch.float16, torch.float16, torch.float32)
    a, b = a.double().numpy(), b.double().numpy()
    total = np.zeros((len(a), b.shape[1]))
    for start in range(0, a.shape[1], 4):
        terms = [total, *(np.outer(a[:, k], b[k]) for k in range(start, min(start + 4, a.shape[1])))]
        largest = np.maximum(np.max(np.abs(terms), axis=0), 2.0**-60)
        ulp = np.exp2(np.floor(np.log2(largest)) - 23)
        total = sum(np.trunc(term / ulp) for term in terms) * ulp
        ulp = np.exp2(np.floor(np.log2(np.maximum(np.abs(total), 2.0**-60))) - 23)
        total = np.trunc(total / ulp) * ulp
    return torch.from_numpy(total.astype(np.float32))


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The engine as it works on a GPU, with matrix units made of NumPy."""
    monkeypatch.setattr(torch, "mm", truncating_mm)
    search = TorchEngine("cpu")
    search.half = True
    return search


def test_pieces_leave_no_trace(monkeypatch):
    a, b = random_pair(n=700, dim=33)
    search = TorchEngine.on("cpu")
    slide, other = placed(search, a), placed(search, b)
    least = np.linspace(0.1, 0.9, 700)
    whole = search.nearest(slide, 6), search.reaching(slide, other, least, least[::-1])
    monkeypatch.setitem(torch_matmul._SCORES, "cpu", 7 * 700)
    pieces = search.nearest(slide, 6), search.reaching(slide, other, least, least[::-1])
    np.testing.assert_array_equal(whole[0].rows, pieces[0].rows)
    for at_once, in_pieces in zip(whole[1], pieces[1], strict=True):
        np.testing.assert_array_equal(at_once.sure, in_pieces.sure)
    exact = ExactEngine()
    np.testing.assert_array_equal(whole[0].rows, exact.nearest(placed(exact, a), 6).rows)


@pytest.mark.parametrize("pair", PAIRS)
def test_ranks_of_matrix_units_are_those_of_the_oracle(as_on_a_gpu, pair):
    a, b = PAIRS[pair]()
    slides = [searched_slide(SlideVectors(stored), None, 10, as_on_a_gpu) for stored in (a, b)]
    assert slides[0].placed.values.dtype == torch.float16
    matched = as_on_a_gpu.paired(*(slide.placed for slide in slides)).matched
    found = counterpart_ranks(*slides, matched, 10, as_on_a_gpu)
    expected = oracle.ranks(a, b)
    np.testing.assert_array_equal(found.a, np.minimum(expected[0], 10))
    np.testing.assert_array_equal(found.b, np.minimum(expected[1], 10))


@pytest.mark.parametrize("dim", [3, 768, 3_072])
def test_the_rounding_of_matrix_units_stays_within_what_is_stated(as_on_a_gpu, dim):
    random = np.random.default_rng(dim)
    stored = np.abs(random.standard_normal((30, dim))).astype(np.float16)  # one sign: all is cut off one way
    found = as_on_a_gpu.nearest(placed(as_on_a_gpu, stored), 30)
    exact = np.take_along_axis(oracle.unit(stored) @ oracle.unit(stored).T, found.rows, axis=1)
    error = np.abs(found.scores - exact).max()
    assert error <= as_on_a_gpu.rounding(dim)
    if dim == 3_072:
        assert error > TorchEngine("cpu").rounding(dim) / 20  # it is worse than rounding to the nearest
