"""An extractor at work: in batches that fit its device, timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from plismbench.dataset import TILE_SIZE
from plismbench.errors import NeedsAction, first_line_of
from plismbench.extractors.inference.extractor import Extractor, default_batch_size, device_errors
from plismbench.extractors.inference.transfer import Computed, Pending, Transfer, transfer_to

_SIZES = (128, 256, 512)
_WORTH = 0.98
"""Accept a doubled batch that keeps 98 % of the speed: fewer kernel launches, so less waiting for the GIL."""
_TRIALS = 3


class Runner:
    """Runs an extractor in batches, in smaller ones after the device's memory was not enough.

    Args:
        extractor: the network on its device.
        batch_size: tiles in a forward pass, at most.
        transfer: the way to the device; its usual one if left out.
    """

    def __init__(self, extractor: Extractor, batch_size: int, transfer: Transfer | None = None) -> None:
        self.extractor = extractor
        self.batch_size = batch_size
        self._transfer = transfer or transfer_to(extractor.device)

    def submit(self, pixels: npt.NDArray[np.uint8]) -> "VectorFutures":
        """Starts the forward passes of some tiles.

        A compiled network gets full batches only, the last one filled up with copies of its last
        tile, as each new size would be compiled anew.

        Args:
            pixels: (n, height, width, 3) uint8.

        Raises:
            NeedsAction: if one tile is too much for the device's memory, or the device fails.
            ShapeMismatch: if the network gives another shape than the spec says.
        """
        batches: list[tuple[Pending, int]] = []
        start = 0
        while start < len(pixels):
            piece = np.ascontiguousarray(pixels[start : start + self.batch_size])
            n_tiles = len(piece)
            if self.extractor.compiled and n_tiles < self.batch_size:
                piece = np.concatenate([piece, np.repeat(piece[-1:], self.batch_size - n_tiles, axis=0)])
            pending = self._try(piece)
            if pending is None:
                self._step_down()
                continue
            batches.append((pending, n_tiles))
            start += n_tiles
        return VectorFutures(self.extractor, batches)

    def warm(self) -> None:
        """One batch of noise: what must be compiled, chosen or allocated once is, before time counts."""
        self.submit(noise_tiles(self.batch_size)).result()

    def _try(self, piece: npt.NDArray[np.uint8]) -> Pending | None:
        # Leaving the handler lets go of the traceback, which holds the tensors of the failed pass.
        try:
            with device_errors(self.extractor.spec.name, self.extractor.device):
                return self._transfer(self.extractor.forward, piece)
        except torch.OutOfMemoryError:
            return None

    def _step_down(self) -> None:
        if self.batch_size == 1:
            raise NeedsAction(
                f"'{self.extractor.spec.name}' does not fit the memory of {self.extractor.device} with one tile.",
                hint="Use a larger device, extract fewer models at once, or a lower --precision.",
            )
        self.batch_size //= 2
        if self.extractor.device.type == "cuda":
            with device_errors(self.extractor.spec.name, self.extractor.device):
                torch.cuda.synchronize(self.extractor.device)
                torch.cuda.empty_cache()


@dataclass(frozen=True)
class VectorFutures:
    """Vectors of some tiles on their way, perhaps in several batches."""

    extractor: Extractor
    batches: list[tuple[Pending, int]]

    def result(self) -> Computed:
        """Waits for all of them.

        Raises:
            NeedsAction: if the device fails.
        """
        with device_errors(self.extractor.spec.name, self.extractor.device):
            computed = [(wait(), n_tiles) for wait, n_tiles in self.batches]
        vectors = [one.vectors[:n_tiles] for one, n_tiles in computed]
        return Computed(
            vectors[0] if len(vectors) == 1 else np.concatenate(vectors), sum(one.seconds for one, _ in computed)
        )


def make_runner(extractor: Extractor, batch_size: int | None) -> Runner:
    """A runner, ready to work.

    Args:
        extractor: the network on its device.
        batch_size: tiles in a forward pass; None for one that suits network and device.

    Raises:
        NeedsAction: if it cannot be compiled, or one tile is too much for the device's memory.
    """
    on_cpu = extractor.device.type == "cpu"
    if batch_size is None and on_cpu:
        batch_size = default_batch_size("cpu")
    try:
        if batch_size is None:
            batch_size = best_batch_size(lambda size: _tiles_per_second(extractor, size))
            torch.cuda.empty_cache()
        runner = Runner(extractor, batch_size)
        if not on_cpu or extractor.compiled:
            runner.warm()
    except RuntimeError as error:
        if not extractor.compiled:
            raise
        raise NeedsAction(
            f"'{extractor.spec.name}' cannot be compiled here: {first_line_of(error)}.", hint="Leave out --compile."
        ) from error
    return runner


def best_batch_size(tiles_per_second: Callable[[int], float]) -> int:
    """The largest size that is about as fast as its half.

    Args:
        tiles_per_second: how fast a size is; raises ``torch.OutOfMemoryError`` where it is too large.

    Returns:
        The smallest size if even that does not fit: `Runner` steps down from there.
    """
    best, speed = _SIZES[0], 0.0
    for size in _SIZES:
        try:
            found = tiles_per_second(size)
        except torch.OutOfMemoryError:
            break
        if found < speed * _WORTH:
            break
        best, speed = size, found
    return best


def _tiles_per_second(extractor: Extractor, size: int) -> float:
    transfer, tiles = transfer_to(extractor.device), noise_tiles(size)
    with device_errors(extractor.spec.name, extractor.device):
        transfer(extractor.forward, tiles)()
        begun = time.perf_counter()
        for wait in [transfer(extractor.forward, tiles) for _ in range(_TRIALS)]:
            wait()
    return _TRIALS * size / (time.perf_counter() - begun)


def noise_tiles(count: int) -> npt.NDArray[np.uint8]:
    """(count, 224, 224, 3) uint8, the same each time; black tiles would let a GPU run faster than tissue does."""
    return np.random.default_rng(0).integers(0, 256, (count, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
