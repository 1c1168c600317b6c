"""Brute-force search with torch: on a GPU where there is one."""

import numpy as np
import numpy.typing as npt

from plismbench.search.engine import Neighbors, check_query

_SCORES = 2**26  # scores held at once: 256 MiB in float32


def search_torch(queries: npt.NDArray[np.float32], database: npt.NDArray[np.float32], k: int) -> Neighbors:
    """Float32 products and ``topk``, some queries at a time; never TF32, whose error is a thousand times larger."""
    import torch

    check_query(queries, database, k)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        base = torch.from_numpy(database).to(device)
        step = max(1, _SCORES // len(database))
        parts = [
            torch.topk(torch.from_numpy(queries[start : start + step]).to(device) @ base.T, k, dim=1)
            for start in range(0, len(queries), step)
        ]
    finally:
        torch.set_float32_matmul_precision(before)
    scores = torch.cat([part.values for part in parts]).cpu().numpy()
    return Neighbors(scores, torch.cat([part.indices for part in parts]).cpu().numpy())
