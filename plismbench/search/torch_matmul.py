"""Brute-force search with torch: on a GPU where there is one.

On a GPU the stored float16 are multiplied by its matrix units and summed in float32, so nothing is
rounded before it is multiplied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plismbench.errors import NeedsAction
from plismbench.search.engine import AUTO, Neighbors, Reached, check_k
from plismbench.search.on_device import DeviceArithmetic, OnDevice, at_work, host
from plismbench.search.unsure import Unsure, float32_rounding, unsure_band
from plismbench.search.vectors import Float64, Int64

if TYPE_CHECKING:
    from torch import Tensor

_SCORES = {"cpu": 2**22, "cuda": 2**26}  # scores held at once: 16 MiB in a CPU's cache, 256 MiB on a GPU
_SPARED = 0.1  # with a smaller share of products that nobody asks for, one more round of kernels costs more (estimated)
_MATRIX_UNITS = 4
"""How much larger the rounding of matrix units is than that of float32: they cut off what they sum.

Products of float16 are aligned to the largest of 4 to 16 and their sum so far, and truncated to about 24
bits (Fasi et al., Numerical behavior of NVIDIA tensor cores, PeerJ CS 2021): with 4, the most often, that
is at most 1.5 dim · 2⁻²³ of the product of the lengths, three times the bound of float32.
"""


class TorchEngine(DeviceArithmetic):
    """Products of float16 on a GPU, of float32 on a CPU; never of TF32, whose error is a thousand times larger."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
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

    def rounding(self, dim: int) -> float:
        """That of float32, or of matrix units."""
        return float32_rounding(dim) * (_MATRIX_UNITS if self.half else 1)

    def nearest(self, slide: OnDevice, k: int) -> Neighbors:
        """``topk`` of some rows at a time."""
        import torch

        check_k(k, len(slide.values))
        with at_work():
            every = torch.arange(len(slide.values), device=self.device)
            blocks = torch.split(every, self._step(len(every)))
            parts = [torch.topk(self._scores(slide, rows, slide, every), k, dim=1) for rows in blocks]
            return Neighbors(
                host(torch.cat([part.values for part in parts])), host(torch.cat([part.indices for part in parts]))
            )

    def reaching(self, a: OnDevice, b: OnDevice, least_a: Float64, least_b: Float64) -> tuple[Reached, Reached]:
        """Compares some rows at a time: those of ``a`` that are asked for with all of ``b`` first, or all at once."""
        import torch

        n_a, n_b, margin = len(a.values), len(b.values), self.rounding(a.values.shape[1])
        unsure_a, unsure_b = Unsure(n_a), Unsure(n_b)
        asked_a, asked_b = np.isfinite(least_a), np.isfinite(least_b)
        every_a, every_b = np.ones(n_a, bool), np.ones(n_b, bool)
        spared = (~asked_a).mean() * (~asked_b).mean()
        parts = [(every_a, every_b)] if spared < _SPARED else [(asked_a, every_b), (~asked_a, asked_b)]
        with at_work():
            bounds = np.concatenate([*unsure_band(least_a, margin), *unsure_band(least_b, margin)])
            low_a, high_a, low_b, high_b = torch.split(torch.from_numpy(bounds).to(self.device), [n_a, n_a, n_b, n_b])
            # A mask is copied into the type of its sum before it is summed: int64 would be 8 bytes a score.
            sure_a = torch.zeros(n_a, dtype=torch.int64, device=self.device)
            sure_b = torch.zeros(n_b, dtype=torch.int64, device=self.device)
            for rows, columns in parts:
                if not (rows.any() and columns.any()):
                    continue
                of_a, of_b = (torch.from_numpy(np.flatnonzero(some)).to(self.device) for some in (rows, columns))
                for block in torch.split(of_a, self._step(len(of_b))):
                    scores = self._scores(a, block, b, of_b)
                    sure = scores >= high_a[block, None]
                    sure_a[block] += sure.sum(dim=1, dtype=torch.int32)
                    unsure_a.add(*_places((scores >= low_a[block, None]).logical_xor_(sure), block, of_b))
                    sure = scores >= high_b[of_b]
                    sure_b[of_b] += sure.sum(dim=0, dtype=torch.int32)
                    unsure_b.add(*_places((scores >= low_b[of_b]).logical_xor_(sure), block, of_b)[::-1])
            sure = host(torch.cat([sure_a, sure_b]))
            return unsure_a.reached(sure[:n_a]), unsure_b.reached(sure[n_a:])

    def _scores(self, a: OnDevice, rows: Tensor, b: OnDevice, columns: Tensor) -> Tensor:
        """(len(rows), len(columns)) float32 cosines."""
        import torch

        of_b = b.values if len(columns) == len(b.values) else b.values[columns]
        of_a = a.values[rows]
        scores: Tensor = torch.mm(of_a, of_b.T, out_dtype=torch.float32) if self.half else torch.mm(of_a, of_b.T)
        scores *= a.norms[rows, None].reciprocal().float()
        scores *= b.norms[columns].reciprocal().float()
        return scores

    def _step(self, n_columns: int) -> int:
        return max(1, _SCORES[self.device] // max(1, n_columns))


def _places(mask: Tensor, rows: Tensor, columns: Tensor) -> tuple[Int64, Int64]:
    """Row and column of each score that a mask takes."""
    import torch

    found = mask.nonzero()
    of_a, of_b = host(torch.stack([rows[found[:, 0]], columns[found[:, 1]]]))
    return of_a, of_b
