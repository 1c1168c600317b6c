import threading

import numpy as np
import pytest
import torch
from vectors import placed, random_pair

from plismbench.errors import NeedsAction
from plismbench.search import on_device
from plismbench.search.on_device import at_work
from plismbench.search.torch_matmul import TorchEngine


def test_float64_in_pieces_is_the_same(monkeypatch):
    a, b = random_pair(n=100, dim=24)
    pairs = np.stack([np.arange(100), np.arange(100)[::-1]], axis=1)
    search = TorchEngine("cpu")
    found = []
    for numbers in (2**17, 7 * 24):
        monkeypatch.setitem(on_device._WIDE, "cpu", numbers)
        slides = placed(search, a), placed(search, b)
        spread = search.moments(slides[0]).spread
        found.append((search.paired(*slides).centred, search.products(*slides, pairs), spread))
    for whole, pieces in zip(*found, strict=True):
        np.testing.assert_allclose(pieces, whole, atol=1e-15)


def test_a_slide_that_may_not_be_written_to_is_taken_in_unchanged():
    stored, _ = random_pair()
    stored.flags.writeable = False  # as parquet gives it; torch warns of it
    slide = placed(TorchEngine("cpu"), stored)
    np.testing.assert_array_equal(slide.values.numpy(), stored)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "too little free memory"),
        (torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with ..."), "unspecified launch"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "too little free"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`"),
            "GPU failed: CUDA",
        ),
    ],
)
def test_a_device_that_fails_is_told_in_one_sentence(error, words):
    with pytest.raises(NeedsAction, match=words) as told, at_work():
        raise error
    assert "\n" not in str(told.value)


def test_a_bug_of_ours_is_no_failure_of_the_device():
    with pytest.raises(RuntimeError, match="size of tensor"), at_work():
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")


def test_few_threads_are_at_work_at_once():
    inside, most, lock = 0, 0, threading.Lock()
    full = threading.Barrier(4, timeout=10)

    def work():
        nonlocal inside, most
        with at_work():
            with lock:
                inside += 1
                most = max(most, inside)
            full.wait()
            with lock:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 4


@pytest.fixture
def restored():
    yield
    torch.backends.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(
    "caller",
    [
        lambda: None,
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    ],
    ids=["nothing", "older switch", "newer switch", "all"],
)
def test_a_lower_precision_of_the_caller_is_not_used_and_comes_back(caller):
    caller()
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    with at_work():
        with at_work():  # another thread
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "ieee"
    assert matmul.fp32_precision == before


def test_a_gpu_keeps_half_of_its_free_memory_for_scores(monkeypatch):
    assert TorchEngine("cpu").room is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (6_000, 9_000))
    assert TorchEngine("cuda").room == 3_000
