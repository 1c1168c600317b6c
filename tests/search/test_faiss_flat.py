from types import SimpleNamespace

import numpy as np
import oracle
import pytest
from vectors import PAIRS, placed

from plismbench.errors import NeedsAction
from plismbench.metrics.retrieval import counterpart_ranks, searched_slide
from plismbench.search.engine import engine
from plismbench.search.exact import ExactEngine
from plismbench.search.faiss_flat import FaissEngine
from plismbench.search.vectors import SlideVectors, principal_axes


def test_small_and_large_slides_agree_with_the_dense_search():
    # FAISS takes other paths below 20 queries and above some thousand rows.
    random = np.random.default_rng(1)
    for n in (5, 19, 20, 3_000):
        vectors = random.standard_normal((n, 32)).astype(np.float32)
        found, expected = (search.nearest(placed(search, vectors, 8), 5) for search in (FaissEngine(), ExactEngine()))
        np.testing.assert_array_equal(found.rows, expected.rows)


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as FAISS shows it, whose searches the processor does: the module, and what k each search had."""
    import faiss  # not above: these tests are collected where there is none

    searches = []

    def knn_gpu(resources, queries, gallery, k, *, metric, device):
        assert isinstance(resources, Resources)
        assert (queries.dtype, gallery.dtype, device) == (np.float32, np.float32, 0)
        assert queries.flags.c_contiguous
        searches.append(k)
        return faiss.knn(queries, gallery, k, metric=metric)

    class Resources:
        pass

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", Resources, raising=False)
    monkeypatch.setattr(faiss, "knn_gpu", knn_gpu, raising=False)
    return SimpleNamespace(faiss=faiss, searches=searches)


@pytest.mark.parametrize("pair", PAIRS)
def test_ranks_with_a_gpu_of_faiss_are_those_of_the_oracle(gpu, pair):
    a, b = PAIRS[pair]()
    search = engine("faiss", "cuda")
    vectors = [SlideVectors(stored) for stored in (a, b)]
    axes = principal_axes(vectors)
    slides = [searched_slide(slide, lambda: axes, 10, search) for slide in vectors]
    found = counterpart_ranks(*slides, search.paired(*(slide.placed for slide in slides)).matched, 10, search)
    for ranks, expected in zip((found.a, found.b), oracle.ranks(a, b), strict=True):
        np.testing.assert_array_equal(ranks, np.minimum(expected, 10))
    assert len(gpu.searches) == 2  # once a slide


def test_more_neighbours_than_a_gpu_sorts_out_are_found_on_the_cpu(gpu):
    search = engine("faiss", "cuda")
    slide = placed(search, np.random.default_rng(0).standard_normal((2_100, 4)))
    assert search.nearest(slide, 2_048).rows.shape == (2_100, 2_048)
    assert search.nearest(slide, 2_049).rows.shape == (2_100, 2_049)
    assert gpu.searches == [2_048]


def test_faiss_takes_a_gpu_only_where_it_is_asked_to(gpu, monkeypatch):
    for device, expected in (("auto", "cpu"), ("cpu", "cpu"), ("cuda", "cuda")):
        search = engine("faiss", device)
        search.nearest(placed(search, np.eye(4)), 2)
        assert search.device == expected
    assert gpu.searches == [2]
    monkeypatch.setattr(gpu.faiss, "get_num_gpus", lambda: 0)
    with pytest.raises(NeedsAction, match=r"No CUDA device is available to FAISS. Use --device cpu."):
        engine("faiss", "cuda")
    monkeypatch.delattr(gpu.faiss, "knn_gpu")  # as the build for CPUs
    with pytest.raises(NeedsAction, match="No CUDA device is available to FAISS"):
        engine("faiss", "cuda")


def test_a_gpu_that_fails_under_faiss_is_one_line(gpu, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("Error in allocMemory: StandardGpuResources: alloc fail\n(cudaMalloc error)")

    monkeypatch.setattr(gpu.faiss, "knn_gpu", fail)
    search = engine("faiss", "cuda")
    with pytest.raises(NeedsAction, match=r"FAISS failed on the GPU: .* alloc fail\. Use --engine torch") as told:
        search.nearest(placed(search, np.eye(4)), 2)
    assert "\n" not in str(told.value)
