"""Slides on a device of torch, and what is computed from them there in float64.

A GPU is fed by several threads, and a processor would take far longer for the cosines of a pair than
the GPU for its search, so both are done here.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from plismbench.errors import NeedsAction, first_line_of
from plismbench.machine import device_failed, lacks_memory
from plismbench.search.engine import Moments, PairedProducts, check_same_shape
from plismbench.search.vectors import Float64, Int64, PrincipalAxes, SlideVectors, chunks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

_WIDE = {"cpu": 2**17, "cuda": 2**23}  # float64 held at once: 1 MiB in a CPU's cache, 64 MiB on a GPU
_PRODUCTS = 2**25  # float64 products held at once: 256 MiB
_AT_ONCE = BoundedSemaphore(4)  # threads at work: enough to keep a GPU busy, each takes up to 1 GB of its memory


@dataclass(frozen=True)
class OnDevice:
    """A slide on a device.

    Args:
        values: (n_tiles, dim) the stored numbers: float16 on a GPU, float32 on a CPU, which multiplies those.
        norms: (n_tiles,) float64, 1 for a vector of zeros.
        mean: (dim,) float64 mean of the directions.
        step: rows whose float64 directions are held at once.
    """

    values: Tensor
    norms: Tensor
    mean: Tensor
    step: int

    def exact(self, rows: Tensor | slice) -> Tensor:
        """Float64 directions of some rows."""
        return self.values[rows].double() / self.norms[rows, None]

    def pieces(self) -> Iterator[slice]:
        """All rows, some at a time."""
        return chunks(len(self.values), 1, self.step)


class DeviceArithmetic:
    """The part of an engine that does not search, with torch; a slide is copied to the device once."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.half = device == "cuda"  # only a GPU multiplies float16 and sums in float32

    @property
    def room(self) -> int | None:
        """Half of what is free on a GPU: the rest is for scores."""
        import torch

        return None if self.device == "cpu" else int(torch.cuda.mem_get_info()[0] // 2)

    def place(self, vectors: SlideVectors, _axes: Callable[[], PrincipalAxes]) -> OnDevice:
        """Copies a slide to the device: whole vectors, which it multiplies faster than it looks candidates up."""
        import torch

        with at_work():
            values = torch.from_numpy(np.require(vectors.stored, requirements=["C", "W"])).to(self.device)
            values = values if self.half else values.float()
            step = max(1, _WIDE[self.device] // max(1, values.shape[1]))
            norms = torch.cat([some.double().square().sum(dim=1).sqrt() for some in torch.split(values, step)])
            norms[norms == 0] = 1
            nowhere = torch.zeros(values.shape[1], dtype=torch.float64, device=self.device)
            slide = OnDevice(values, norms, nowhere, step)
            total = sum((slide.exact(rows).sum(dim=0) for rows in slide.pieces()), nowhere)
            return OnDevice(values, norms, total / len(values), step)

    def moments(self, slide: OnDevice) -> Moments:
        """Mean and spread of the directions."""
        import torch

        with at_work():
            centred = (slide.exact(rows) - slide.mean for rows in slide.pieces())
            spread = torch.cat([some.square().sum(dim=1).sqrt() for some in centred])
            return Moments(slide.mean.cpu().numpy(), spread.cpu().numpy())

    def products(self, a: OnDevice, b: OnDevice, pairs: Int64) -> Float64:
        """Some of each slide's rows at a time."""
        import torch

        with at_work():
            where = torch.from_numpy(np.ascontiguousarray(pairs)).to(self.device)
            pieces = [(a.exact(some[:, 0]) * b.exact(some[:, 1])).sum(dim=1) for some in torch.split(where, a.step)]
            products: Float64 = host(torch.cat(pieces))
            return products

    def count(self, a: OnDevice, b: OnDevice, rows: Int64, least: Float64) -> Int64:
        """Some of each slide's rows at a time."""
        import torch

        counts = [torch.zeros(0, dtype=torch.int64, device=self.device)]
        with at_work():
            wanted, numbers, thresholds = (
                torch.from_numpy(some).to(self.device) for some in (rows, np.arange(len(b.values)), least[rows])
            )
            step = max(1, min(a.step, _PRODUCTS // len(b.values)))
            for some, threshold in zip(torch.split(wanted, step), torch.split(thresholds, step), strict=True):
                of_a, reached = a.exact(some), torch.zeros(len(some), dtype=torch.int64, device=self.device)
                for part in b.pieces():
                    reaches = of_a @ b.exact(part).T >= threshold[:, None]
                    reached += reaches.logical_and_(some[:, None] != numbers[part]).sum(dim=1)
                counts.append(reached)
            counted: Int64 = host(torch.cat(counts))
            return counted

    def paired(self, a: OnDevice, b: OnDevice) -> PairedProducts:
        """Row by row: what is summed together does not depend on the piece."""
        import torch

        check_same_shape(a.values.shape, b.values.shape)
        matched, centred = [], []
        with at_work():
            for rows in a.pieces():
                of_a, of_b = a.exact(rows), b.exact(rows)
                matched.append((of_a * of_b).sum(dim=1))
                centred.append(((of_a - a.mean) * (of_b - b.mean)).sum(dim=1))
            return PairedProducts(*host(torch.stack([torch.cat(matched), torch.cat(centred)])))


@contextmanager
def at_work() -> Iterator[None]:
    """A thread's turn on the device: float32 in full, its errors in one sentence."""
    import torch

    try:
        with _AT_ONCE, _FullPrecision.hold():
            yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or (device_failed(error) and lacks_memory(error)):
            raise NeedsAction(
                "The GPU has too little free memory for this search.",
                hint="Lower --memory, free the GPU, or use --device cpu; what is done is kept.",
            ) from error
        if not device_failed(error):
            raise
        raise NeedsAction(
            f"The GPU failed: {first_line_of(error)}.", hint="What is done is kept; run the same again."
        ) from error


def host(tensor: Tensor) -> Any:
    """A tensor as an array of NumPy; waits for the device."""
    return tensor.cpu().numpy()


class _FullPrecision:
    """Float32 products in full while any thread is inside; what the caller had set comes back after the last.

    Only a CPU multiplies float32 here. Its newer switch works beside the older ones, which torch bars once one of
    the newer is used (https://docs.pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices).
    """

    _lock = Lock()
    _inside = 0
    _before = "none"

    @classmethod
    @contextmanager
    def hold(cls) -> Iterator[None]:
        import torch

        backends: Any = torch.backends  # whose types leave out the switch
        matmul = backends.mkldnn.matmul
        with cls._lock:
            if not cls._inside:
                cls._before = matmul.fp32_precision
                matmul.fp32_precision = "ieee"
            cls._inside += 1
        try:
            with torch.inference_mode():
                yield
        finally:
            with cls._lock:
                cls._inside -= 1
                if not cls._inside:
                    matmul.fp32_precision = cls._before
