from contextlib import contextmanager

import numpy as np
import pytest
import torch

from plismbench.extractors.inference.transfer import by_streams, transfer_to

PIXELS = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
CPU = torch.device("cpu")


def mean(batch):
    return batch.float().mean((1, 2)).half()


def test_a_cpu_does_it_at_once():
    computed = transfer_to(CPU)(mean, PIXELS)()
    np.testing.assert_array_equal(computed.vectors, PIXELS.mean((1, 2)).astype(np.float16))
    assert computed.seconds > 0


class FakeCuda:
    """``torch.cuda`` on paper: what is asked of which stream, in order. Tensors stay on the CPU."""

    def __init__(self):
        self.log, self.current, names = [], "main", iter(("up", "down"))
        self.Stream = lambda device: FakeStream(self, next(names))
        self.Event = lambda enable_timing=False, blocking=False: FakeEvent(self, blocking)

    def current_stream(self, device):
        return FakeStream(self, "main")

    @contextmanager
    def stream(self, stream):
        self.current = stream.name
        yield
        self.current = "main"


class FakeStream:
    def __init__(self, cuda, name):
        self.cuda, self.name = cuda, name

    def wait_stream(self, other):
        self.cuda.log.append(f"{self.name} waits for {other.name}")


class FakeEvent:
    def __init__(self, cuda, blocking):
        self.cuda, self.blocking = cuda, blocking

    def record(self, stream):
        self.cuda.log.append(f"mark on {stream.name}")

    def synchronize(self):
        self.cuda.log.append("host sleeps" if self.blocking else "host spins")

    def elapsed_time(self, other):
        return 250.0


@pytest.fixture
def cuda(monkeypatch):
    fake, to, empty = FakeCuda(), torch.Tensor.to, torch.empty

    def copy(tensor, *arguments, non_blocking=False, **options):
        if non_blocking:
            fake.log.append(f"copy on {fake.current}")
        return to(tensor, *arguments, **options)

    def allocate(*shape, pin_memory=False, **options):
        if pin_memory:
            fake.log.append("pin")
        return empty(*shape, **options)

    monkeypatch.setattr(torch.Tensor, "to", copy)
    monkeypatch.setattr(torch, "empty", allocate)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda tensor, stream: fake.log.append(f"kept for {stream.name}")
    )
    return fake


def test_a_gpu_copies_on_streams_of_their_own_and_each_waits_for_what_it_needs(cuda):
    def forward(batch):
        cuda.log.append(f"forward on {cuda.current}")
        return mean(batch)

    wait = by_streams(CPU, cuda)(forward, PIXELS)
    assert cuda.log == [
        "pin",
        "copy on up",
        "main waits for up",
        "kept for main",
        "mark on main",
        "forward on main",
        "mark on main",
        "down waits for main",
        "copy on down",
        "kept for down",
        "mark on down",
    ]
    computed = wait()
    assert cuda.log[-1] == "host sleeps"
    np.testing.assert_array_equal(computed.vectors, PIXELS.mean((1, 2)).astype(np.float16))
    assert computed.seconds == 0.25


def test_the_host_waits_for_nothing_while_it_submits(cuda):
    transfer = by_streams(CPU, cuda)
    batches = [transfer(mean, PIXELS) for _ in range(3)]
    assert "host sleeps" not in cuda.log
    assert [len(wait().vectors) for wait in batches] == [2, 2, 2]
