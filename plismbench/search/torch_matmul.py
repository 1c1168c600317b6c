"""Brute-force search with torch: on a GPU where there is one."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from plismbench.errors import NeedsAction
from plismbench.search.engine import (
    AUTO,
    Float32,
    Float64,
    Int64,
    Neighbors,
    Reached,
    Unsure,
    check_k,
    check_width,
    unsure_band,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_SCORES = {"cpu": 2**22, "cuda": 2**26}  # scores held at once: 16 MiB in a CPU's cache, 256 MiB on a GPU


class TorchEngine:
    """Float32 products, never TF32, whose error is a thousand times larger; slides stay on the device."""

    def __init__(self, device: str) -> None:
        self._device = self.device = device
        self.concurrent = device != "cpu"  # on the CPU torch uses threads of its own

    @property
    def versions(self) -> dict[str, str]:
        """Torch's."""
        import torch

        return {"torch": torch.__version__}

    @classmethod
    def on(cls, device: str) -> TorchEngine:
        """The engine on a device, or on a GPU if there is one.

        Raises:
            NeedsAction: if CUDA is asked for and absent.
        """
        import torch

        there = torch.cuda.is_available()
        if device == "cuda" and not there:
            raise NeedsAction("No CUDA device is available to torch.", hint="Use --device cpu.")
        return cls(("cuda" if there else "cpu") if device == AUTO else device)

    def place(self, vectors: Float32, _lead: int) -> Tensor:
        """Copies a slide to the device, which multiplies whole vectors faster than it looks candidates up."""
        import torch

        return torch.from_numpy(vectors).to(self._device)

    def nearest(self, slide: Tensor, k: int) -> Neighbors:
        """``topk`` of some rows at a time."""
        import torch

        check_k(k, len(slide))
        with _FullPrecision.hold():
            parts = [torch.topk(rows @ slide.T, k, dim=1) for rows in torch.split(slide, self._step(len(slide)))]
        scores = torch.cat([part.values for part in parts]).cpu().numpy()
        return Neighbors(scores, torch.cat([part.indices for part in parts]).cpu().numpy())

    def reaching(self, a: Tensor, b: Tensor, least_a: Float64, least_b: Float64, margin: float) -> Reached:
        """Compares some rows at a time, those of ``a`` that are asked for with all of ``b`` first."""
        import torch

        check_width(a.shape[1], b.shape[1])
        low_a, high_a, low_b, high_b = (
            torch.from_numpy(bound).to(self._device)
            for least in (least_a, least_b)
            for bound in unsure_band(least, margin)
        )
        sure_a = torch.zeros(len(a), dtype=torch.int64, device=self._device)
        sure_b = torch.zeros(len(b), dtype=torch.int64, device=self._device)
        unsure_a, unsure_b = Unsure(len(a), 0), Unsure(len(b), 1)
        asked_a, asked_b = np.isfinite(least_a), np.isfinite(least_b)
        everything = [(np.flatnonzero(asked_a), np.arange(len(b)))]
        if asked_b.any():
            everything.append((np.flatnonzero(~asked_a), np.flatnonzero(asked_b)))
        with _FullPrecision.hold():
            for rows, columns in everything:
                some_b = torch.from_numpy(columns).to(self._device)
                database = b[some_b].T
                for block in torch.split(torch.from_numpy(rows).to(self._device), self._step(len(columns))):
                    scores = a[block] @ database
                    sure = scores >= high_a[block, None]
                    sure_a[block] += sure.sum(dim=1)
                    maybe = (scores >= low_a[block, None]) & ~sure
                    unsure_a.add(_pairs(maybe, block, some_b))
                    sure = scores >= high_b[some_b]
                    sure_b[some_b] += sure.sum(dim=0)
                    maybe = (scores >= low_b[some_b]) & ~sure
                    unsure_b.add(_pairs(maybe, block, some_b))
        (pairs_a, crowded_a), (pairs_b, crowded_b) = unsure_a.result(), unsure_b.result()
        return Reached(sure_a.cpu().numpy(), sure_b.cpu().numpy(), pairs_a, pairs_b, crowded_a, crowded_b)

    def _step(self, n_columns: int) -> int:
        return max(1, _SCORES[self._device] // max(1, n_columns))


def _pairs(mask: Tensor, rows: Tensor, columns: Tensor) -> Int64:
    import torch

    found = mask.nonzero()
    pairs: Int64 = torch.stack([rows[found[:, 0]], columns[found[:, 1]]], dim=1).cpu().numpy()
    return pairs


class _FullPrecision:
    """Float32 products in full while any thread is inside; what the caller had set comes back after the last."""

    _lock = Lock()
    _inside = 0
    _before = "highest"

    @classmethod
    @contextmanager
    def hold(cls) -> Iterator[None]:
        import torch

        with cls._lock:
            if not cls._inside:
                cls._before = torch.get_float32_matmul_precision()
                torch.set_float32_matmul_precision("highest")
            cls._inside += 1
        try:
            with torch.inference_mode():
                yield
        finally:
            with cls._lock:
                cls._inside -= 1
                if not cls._inside:
                    torch.set_float32_matmul_precision(cls._before)
