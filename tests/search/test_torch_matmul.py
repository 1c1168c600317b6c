import numpy as np
import pytest
import torch

from plismbench.search import torch_matmul
from plismbench.search.exact import search_exactly
from plismbench.search.torch_matmul import search_torch


@pytest.fixture
def vectors():
    return np.random.default_rng(2).standard_normal((700, 33)).astype(np.float32)


def test_pieces_leave_no_trace(monkeypatch, vectors):
    whole = search_torch(vectors[:100], vectors, 6)
    monkeypatch.setattr(torch_matmul, "_SCORES", 7 * len(vectors))
    pieces = search_torch(vectors[:100], vectors, 6)
    np.testing.assert_array_equal(whole.rows, pieces.rows)
    np.testing.assert_array_equal(whole.rows, search_exactly(vectors[:100], vectors, 6).rows)


def test_a_lower_precision_of_the_caller_is_not_used_and_comes_back(monkeypatch, vectors):
    seen = []
    topk = torch.topk

    def look(*arguments, **options):
        seen.append(torch.get_float32_matmul_precision())
        return topk(*arguments, **options)

    monkeypatch.setattr(torch, "topk", look)
    torch.set_float32_matmul_precision("medium")
    try:
        search_torch(vectors[:5], vectors, 2)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == ["highest"]
