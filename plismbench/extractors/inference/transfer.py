"""Tiles to a device and vectors back, so that copies run beside arithmetic."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Forward = Callable[[Tensor], Tensor]
"""(n, height, width, 3) uint8 to (n, dim) float16, both on the device."""


@dataclass(frozen=True)
class Computed:
    """Vectors that are back.

    Args:
        vectors: (n, dim) float16.
        seconds: that the device worked on them, without the copies.
    """

    vectors: npt.NDArray[np.float16]
    seconds: float


class VectorFuture(Protocol):
    """Vectors on their way."""

    def result(self) -> Computed:
        """Waits for them."""
        ...


class Transfer(Protocol):
    """Tiles to a device and vectors back."""

    def submit(self, forward: Forward, pixels: npt.NDArray[np.uint8]) -> VectorFuture:
        """Starts a forward pass; on a GPU it returns before the pass is done."""
        ...


def transfer_to(device: torch.device) -> Transfer:
    """The `Transfer` that suits a device."""
    return CudaTransfer(device) if device.type == "cuda" else DirectTransfer(device)


@dataclass(frozen=True)
class _Done:
    computed: Computed

    def result(self) -> Computed:
        return self.computed


@dataclass(frozen=True)
class DirectTransfer:
    """For a device that works while the caller waits: the CPU."""

    device: torch.device

    def submit(self, forward: Forward, pixels: npt.NDArray[np.uint8]) -> VectorFuture:
        """Does it at once."""
        begun = time.perf_counter()
        vectors = forward(torch.from_numpy(pixels).to(self.device)).cpu().numpy()
        return _Done(Computed(vectors, time.perf_counter() - begun))


class CudaTransfer:
    """Pinned bytes up on one stream, arithmetic on the current one, vectors down on a third.

    The host only queues work here, so the next batch is copied while this one is computed. Memory of
    a tensor that another stream still reads is held back by ``record_stream``, and pinned memory by
    torch's allocator.

    Args:
        device: a CUDA device.
        cuda: the module ``torch.cuda``.
    """

    def __init__(self, device: torch.device, cuda: Any = torch.cuda) -> None:
        self._device, self._cuda = device, cuda
        self._up, self._down = cuda.Stream(device), cuda.Stream(device)

    def submit(self, forward: Forward, pixels: npt.NDArray[np.uint8]) -> VectorFuture:
        """Queues copy, forward pass and copy back."""
        cuda, main = self._cuda, self._cuda.current_stream(self._device)
        pinned = torch.empty(pixels.shape, dtype=torch.uint8, device="cpu", pin_memory=True)
        pinned.numpy()[...] = pixels  # torch would copy with a thread a core, which then spin beside those who decode
        with cuda.stream(self._up):
            batch = pinned.to(self._device, non_blocking=True)
        main.wait_stream(self._up)
        batch.record_stream(main)
        begun, ended = (cuda.Event(enable_timing=True) for _ in range(2))
        home = cuda.Event(blocking=True)  # one who waits for it sleeps: spinning takes a core from those who decode
        begun.record(main)
        vectors = forward(batch)
        ended.record(main)
        self._down.wait_stream(main)
        with cuda.stream(self._down):
            back = vectors.to("cpu", non_blocking=True)  # torch allocates it pinned
        vectors.record_stream(self._down)
        home.record(self._down)
        return _OnItsWay(back, begun, ended, home)


@dataclass(frozen=True)
class _OnItsWay:
    back: Tensor
    begun: Any
    ended: Any
    home: Any

    def result(self) -> Computed:
        self.home.synchronize()
        return Computed(self.back.numpy(), self.begun.elapsed_time(self.ended) / 1000)
