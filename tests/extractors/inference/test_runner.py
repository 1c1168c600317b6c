import dataclasses
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu
from torch import nn

from plismbench.errors import NeedsAction
from plismbench.extractors.inference.extractor import Extractor
from plismbench.extractors.inference.runner import Runner, _tiles_per_second, best_batch_size, make_runner, noise_tiles
from plismbench.extractors.spec import ExtractorSpec, Precision

TILES = noise_tiles(10)
SPEC = ExtractorSpec(name="toy", loader="a:b", dim=3)


class Mean(nn.Module):
    """The mean colour, of so many tiles at most; remembers the batches it saw."""

    def __init__(self, room=1000):
        super().__init__()
        self.room, self.seen = room, []

    def forward(self, image):
        self.seen.append(len(image))
        if len(image) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return image.mean((2, 3))


def extractor(module):
    return Extractor(SPEC, module, torch.device("cpu"), Precision.FP32)


@pytest.mark.parametrize(("size", "seen"), [(4, [4, 4, 2]), (10, [10]), (64, [10])])
def test_tiles_go_through_in_batches(size, seen):
    mean = Mean()
    whole = extractor(Mean())(TILES)
    computed = Runner(extractor(mean), size).submit(TILES).result()
    assert mean.seen == seen
    assert computed.seconds > 0
    np.testing.assert_array_equal(computed.vectors, whole)


def test_too_little_memory_halves_the_batch_and_nothing_is_lost():
    mean = Mean(room=3)
    runner = Runner(extractor(mean), 8)
    whole = extractor(Mean())(TILES)
    np.testing.assert_array_equal(runner.submit(TILES).result().vectors, whole)
    assert mean.seen == [8, 4, 2, 2, 2, 2, 2]
    assert runner.batch_size == 2
    mean.seen.clear()
    runner.submit(TILES)
    assert mean.seen == [2] * 5  # it stays there


def too_much_for_torch():
    torch.empty(2**57)


def too_much_for_numpy():
    np.empty(2**57)


def too_much_for_a_library_of_cuda():
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def too_much_beside_torch():
    raise torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be ...")


@pytest.mark.parametrize("loader", ["a:b", "plismbench.extractors.baselines:constant"])
@pytest.mark.parametrize(
    "ask", [too_much_for_torch, too_much_for_numpy, too_much_for_a_library_of_cuda, too_much_beside_torch]
)
def test_too_little_memory_that_torch_has_no_type_for_halves_the_batch_too(ask, loader):
    class Greedy(Mean):
        def forward(self, image):
            if len(image) > 3:
                ask()
            return super().forward(image)

    greedy = Extractor(replace(SPEC, loader=loader), Greedy(), torch.device("cpu"), Precision.FP32)
    runner = Runner(greedy, 8)
    np.testing.assert_array_equal(runner.submit(TILES).result().vectors, extractor(Mean())(TILES))
    assert runner.batch_size == 2


def test_a_tile_that_does_not_fit_is_one_sentence():
    with pytest.raises(NeedsAction, match="'toy' does not fit the memory of cpu with one tile"):
        Runner(extractor(Mean(room=0)), 4).submit(TILES)


def test_a_compiled_network_sees_one_size_only():
    mean = Mean()
    compiled = dataclasses.replace(extractor(mean), compiled=True)
    computed = Runner(compiled, 4).submit(TILES).result()
    assert mean.seen == [4, 4, 4]
    np.testing.assert_array_equal(computed.vectors, extractor(Mean())(TILES))


def test_only_a_compiled_network_or_a_gpu_is_warmed():
    for compiled, seen in ((False, []), (True, [32])):
        mean = Mean()
        made = make_runner(dataclasses.replace(extractor(mean), compiled=compiled), None)
        assert made.batch_size == 32
        assert mean.seen == seen


def test_a_network_that_cannot_be_compiled_is_one_sentence():
    class Failing(nn.Module):
        def forward(self, image):
            raise RuntimeError("no working C++ compiler\nSet TORCHDYNAMO_VERBOSE=1")

    with pytest.raises(NeedsAction, match=r"'toy' cannot be compiled here: no working C\+\+ compiler\. Leave out --co"):
        make_runner(dataclasses.replace(extractor(Failing()), compiled=True), 2)


def test_on_a_gpu_that_is_one_sentence_before_a_batch_size_is_measured():
    class Failing(nn.Module):
        def forward(self, image):
            raise RuntimeError("Failed to find C compiler.\nSet TORCHDYNAMO_VERBOSE=1")

    with pretended_gpu(), pytest.raises(NeedsAction, match="'toy' cannot be compiled here: Failed to find C compiler"):
        make_runner(Extractor(SPEC, Failing(), torch.device("cuda"), Precision.FP16, compiled=True), None)


@pytest.mark.parametrize(
    ("speeds", "expected"),
    [
        ({128: 300, 256: 299, 512: 297}, 512),  # as fast, with fewer kernels to start
        ({128: 300, 256: 320}, 256),  # the next does not fit
        ({128: 300, 256: 280, 512: 900}, 128),
        ({}, 128),
        ({128: 1, 256: 2, 512: 1.9}, 256),
    ],
)
def test_the_best_batch_is_the_largest_that_is_fast(speeds, expected):
    def tiles_per_second(size):
        if size not in speeds:
            raise torch.OutOfMemoryError
        return speeds[size]

    assert best_batch_size(tiles_per_second) == expected


def test_the_speed_of_a_size_is_tiles_over_seconds():
    class Slow(Mean):
        def forward(self, image):
            time.sleep(0.02)
            return super().forward(image)

    slow = Slow()
    assert 8 < _tiles_per_second(extractor(slow), 4) <= 4 / 0.02
    assert slow.seen == [4] * 4  # one to warm up, three that count


def test_a_bug_is_no_trouble_with_a_compiler():
    class Failing(nn.Module):
        def forward(self, image):
            raise RuntimeError("a bug")

    spec = dataclasses.replace(SPEC, loader="plismbench.extractors.baselines:constant")
    with pretended_gpu(), pytest.raises(RuntimeError, match="a bug"):
        make_runner(Extractor(spec, Failing(), torch.device("cuda"), Precision.FP16), 2)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.AcceleratorError, "CUDA error: unspecified launch failure"),
        (RuntimeError, "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx"),
        (RuntimeError, "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
)
def test_a_lost_device_is_one_sentence_and_no_fault_of_a_plugin(error, words):
    class Lost(nn.Module):
        def forward(self, image):
            raise error(f"{words}\nCompile with ...")

    assert not SPEC.loader.startswith("plismbench.")
    with pytest.raises(NeedsAction, match=rf"Device cpu failed under 'toy': {words}\. Fin"):
        Runner(extractor(Lost()), 4).submit(TILES)


def test_noise_is_the_same_each_time():
    np.testing.assert_array_equal(TILES, noise_tiles(10))
    assert TILES.shape == (10, 224, 224, 3)
    assert TILES.std() > 70
