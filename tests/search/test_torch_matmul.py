import numpy as np
import pytest
import torch

from plismbench.search import torch_matmul
from plismbench.search.exact import ExactEngine
from plismbench.search.torch_matmul import TorchEngine


@pytest.fixture
def vectors():
    vectors = np.random.default_rng(2).standard_normal((700, 33)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_pieces_leave_no_trace(monkeypatch, vectors):
    search = TorchEngine.on("cpu")
    slide, other = search.place(vectors, 8), search.place(vectors[::-1].copy(), 8)
    least = np.linspace(0.1, 0.9, 700)
    whole = search.nearest(slide, 6), search.reaching(slide, other, least, least[::-1], 1e-6)
    monkeypatch.setitem(torch_matmul._SCORES, "cpu", 7 * 700)
    pieces = search.nearest(slide, 6), search.reaching(slide, other, least, least[::-1], 1e-6)
    np.testing.assert_array_equal(whole[0].rows, pieces[0].rows)
    np.testing.assert_array_equal(whole[1].a, pieces[1].a)
    np.testing.assert_array_equal(whole[1].b, pieces[1].b)
    exact = ExactEngine()
    np.testing.assert_array_equal(whole[0].rows, exact.nearest(exact.place(vectors, 8), 6).rows)


def test_a_lower_precision_of_the_caller_is_not_used_and_comes_back(monkeypatch, vectors):
    seen = []
    topk = torch.topk

    def look(*arguments, **options):
        seen.append(torch.get_float32_matmul_precision())
        return topk(*arguments, **options)

    monkeypatch.setattr(torch, "topk", look)
    torch.set_float32_matmul_precision("medium")
    search = TorchEngine.on("cpu")
    try:
        search.nearest(search.place(vectors, 8), 2)
        with torch_matmul._FullPrecision.hold(), torch_matmul._FullPrecision.hold():  # two threads
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == ["highest"]
