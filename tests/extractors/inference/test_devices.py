import pytest
import torch

from plismbench.errors import InvalidInput
from plismbench.extractors.inference.devices import (
    device_title,
    forget_peak_memory,
    peak_memory,
    set_threads,
    worker_devices,
)
from plismbench.machine import hardware


def test_a_cpu_is_shared():
    assert worker_devices("cpu", None) == ("cpu", "cpu")
    assert worker_devices("cpu", 3) == ("cpu", "cpu", "cpu")


@pytest.mark.parametrize(
    ("device", "count", "expected"),
    [
        ("cuda", None, ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda", 2, ("cuda:0", "cuda:1")),
        ("cuda:1", None, ("cuda:1",)),
        ("cuda:1", 1, ("cuda:1",)),
    ],
)
def test_one_process_a_gpu(monkeypatch, device, count, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert worker_devices(device, count) == expected


@pytest.mark.parametrize(
    ("device", "words"),
    [("cuda", "4 processes were asked for; 'cuda' is 3 GPUs"), ("cuda:1", "4 .* 'cuda:1' is 1 GPU\\.")],
)
def test_more_processes_than_gpus_are_refused(monkeypatch, device, words):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InvalidInput, match=words):
        worker_devices(device, 4)


def test_a_cpu_has_a_name_and_no_memory_of_its_own():
    cpu = torch.device("cpu")
    assert device_title(cpu) == hardware()["cpu"]
    assert peak_memory(cpu) is None


def test_a_gpu_is_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Name of {device}")
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 123)
    gpu = torch.device("cuda:1")
    assert (device_title(gpu), peak_memory(gpu)) == ("Name of cuda:1", 123)


def test_a_gpu_is_known_before_its_memory_is_counted_anew(monkeypatch):
    told = []
    monkeypatch.setattr("plismbench.extractors.inference.devices.checked_device", torch.device)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: told.append("known"))  # before it, torch refuses "cuda:1"
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: told.append("freed"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", told.append)
    forget_peak_memory("cuda:1")
    forget_peak_memory("cpu")
    assert told == ["known", "freed", "cuda:1"]


def test_threads_are_those_asked_for():
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            set_threads(threads)
            assert torch.get_num_threads() == threads
    finally:
        set_threads(before)
