import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu

from plismbench.extraction.profiling import profile_model
from plismbench.extractors.inference import runner
from plismbench.extractors.inference.transfer import Computed
from plismbench.extractors.spec import ExtractorSpec, Precision

SPEC = ExtractorSpec(name="toy", loader="toy_loaders:projection", dim=8)


@pytest.mark.parametrize(("n_tiles", "batch_size", "timed"), [(10, 4, 12), (8, 4, 8), (1, 3, 3), (40, None, 64)])
def test_whole_batches_are_timed(n_tiles, batch_size, timed):
    cost = profile_model(SPEC, device="cpu", precision=Precision.BF16, batch_size=batch_size, n_tiles=n_tiles)
    assert (cost.extractor, cost.n_tiles, cost.batch_size) == ("toy", timed, batch_size or 32)
    assert (cost.precision, cost.n_params, cost.peak_memory, cost.compiled) == ("bf16", 48 * 8, None, False)
    assert cost.forward_seconds > 0
    assert cost.wall_seconds is None


def test_the_batch_that_warms_up_does_not_count(monkeypatch):
    calls = []
    forward = torch.nn.functional.adaptive_avg_pool2d
    monkeypatch.setattr(
        torch.nn.functional, "adaptive_avg_pool2d", lambda image, size: calls.append(len(image)) or forward(image, size)
    )
    assert profile_model(SPEC, device="cpu", precision=Precision.FP32, batch_size=4, n_tiles=8).n_tiles == 8
    assert calls == [4, 4, 4]


def test_only_some_batches_are_on_the_device_at_once(monkeypatch):
    """However many tiles are asked for: each batch that waits takes memory there and here."""
    sent, computed, most = [], [], []

    def wait():
        computed.append(True)
        return Computed(np.zeros((4, 8), np.float16), 1.0)

    def transfer(forward, pixels):
        sent.append(pixels)
        most.append(len(sent) - len(computed))
        return wait

    monkeypatch.setattr(runner, "transfer_to", lambda device: transfer)
    cost = profile_model(SPEC, device="cpu", precision=Precision.FP32, batch_size=4, n_tiles=100)
    assert (cost.n_tiles, cost.forward_seconds) == (100, 25.0)
    assert max(most) == 3


def test_memory_of_the_model_before_does_not_count(monkeypatch):
    peak = [900]
    with pretended_gpu(), monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "max_memory_allocated", lambda _: max(peak))
        patch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: peak.__setitem__(0, 5))
        cost = profile_model(SPEC, device="cuda", precision=Precision.FP32, batch_size=4, n_tiles=4)
    assert cost.peak_memory == 5
