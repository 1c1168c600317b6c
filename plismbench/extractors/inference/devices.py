"""The devices of this machine: their names, memory and threads."""

import torch

from plismbench.errors import InvalidInput
from plismbench.extractors.inference.extractor import checked_device
from plismbench.machine import cpu_title


def worker_devices(device: str, count: int | None) -> tuple[str, ...]:
    """The device of each worker.

    Args:
        device: ``cuda`` for each GPU from the first; ``cuda:1`` for that one; ``cpu`` for shares of it.
        count: how many; if left out every GPU, or 2 on a CPU.

    Raises:
        InvalidInput: if there are fewer GPUs.
        NeedsAction: if there is none.
    """
    where = checked_device(device)
    if where.type == "cpu":
        return (device,) * (count or 2)
    there = torch.cuda.device_count() if where.index is None else 1
    if (count or 1) > there:
        raise InvalidInput(f"{count} processes were asked for; '{device}' is {there} GPU{'s' if there > 1 else ''}.")
    return (device,) if where.index is not None else tuple(f"{device}:{index}" for index in range(count or there))


def device_title(device: torch.device) -> str:
    """What its maker calls a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_title()


def peak_memory(device: torch.device) -> int | None:
    """Bytes that tensors took on a device at most, so far; None on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def set_threads(count: int) -> None:
    """Threads of this process for arithmetic on the CPU."""
    torch.set_num_threads(count)


def forget_peak_memory(device: str) -> None:
    """Frees what no tensor uses any more, and counts the memory that they take at most from now on."""
    if checked_device(device).type == "cuda":
        torch.cuda.synchronize(device)  # before its first call torch takes no GPU that is named by its number
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
