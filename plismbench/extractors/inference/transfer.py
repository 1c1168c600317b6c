"""Tiles to a device and vectors back, so that copies run beside arithmetic."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

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


Pending = Callable[[], Computed]
"""Waits for vectors on their way."""

Transfer = Callable[[Forward, npt.NDArray[np.uint8]], Pending]
"""Starts a forward pass of some tiles; on a GPU it returns before the pass is done."""


def transfer_to(device: torch.device) -> Transfer:
    """The way to a device that suits it."""
    return by_streams(device) if device.type == "cuda" else partial(at_once, device)


def at_once(device: torch.device, forward: Forward, pixels: npt.NDArray[np.uint8]) -> Pending:
    """The `Transfer` to a device that works while the caller waits: the CPU."""
    begun = time.perf_counter()
    vectors = forward(torch.from_numpy(pixels).to(device)).cpu().numpy()
    computed = Computed(vectors, time.perf_counter() - begun)
    return lambda: computed


def by_streams(device: torch.device, cuda: Any = torch.cuda) -> Transfer:
    """Pinned bytes up on one stream, arithmetic on the current one, vectors down on a third.

    The host only queues work here, so the next batch is copied while this one is computed. Memory of
    a tensor that another stream still reads is held back by ``record_stream``, and pinned memory by
    torch's allocator.

    Args:
        device: a CUDA device.
        cuda: the module ``torch.cuda``.
    """
    up, down = cuda.Stream(device), cuda.Stream(device)

    def submit(forward: Forward, pixels: npt.NDArray[np.uint8]) -> Pending:
        main = cuda.current_stream(device)
        pinned = torch.empty(pixels.shape, dtype=torch.uint8, device="cpu", pin_memory=True)
        pinned.numpy()[...] = pixels  # torch would copy with a thread a core, which then spin beside those who decode
        with cuda.stream(up):
            batch = pinned.to(device, non_blocking=True)
        main.wait_stream(up)
        batch.record_stream(main)
        begun, ended = (cuda.Event(enable_timing=True) for _ in range(2))
        home = cuda.Event(blocking=True)  # one who waits for it sleeps: spinning takes a core from those who decode
        begun.record(main)
        vectors = forward(batch)
        ended.record(main)
        down.wait_stream(main)
        with cuda.stream(down):
            back = vectors.to("cpu", non_blocking=True)  # torch allocates it pinned
        vectors.record_stream(down)
        home.record(down)

        def wait() -> Computed:
            home.synchronize()
            return Computed(back.numpy(), begun.elapsed_time(ended) / 1000)

        return wait

    return submit
