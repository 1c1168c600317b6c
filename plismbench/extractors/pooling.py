"""From what a network gives to one vector a tile."""

from typing import Any

import torch
from torch import Tensor

from plismbench.errors import ShapeMismatch
from plismbench.extractors.spec import ExtractorSpec, Pooling

ONLY_TENSORS = "Have a loader of your own, ./my.py:load, wrap it in a module that returns the tensor alone."
"""What to do about a network that gives a dict or a tuple."""


def pooled(output: Any, spec: ExtractorSpec, n_tiles: int) -> Tensor:
    """The output of a network as (n_tiles, dim) float32.

    Args:
        output: (n_tiles, dim), or (n_tiles, tokens, width) with the class token first; also on the meta device.
        spec: says which of them, and how tokens are pooled.
        n_tiles: how many tiles the network was given.

    Raises:
        ShapeMismatch: if it is neither tokens nor vectors of real numbers, as the spec's pooling wants, or of another
            width.
    """
    wanted = 2 if spec.pooling is Pooling.OUTPUT else 3
    if not isinstance(output, Tensor) or output.ndim != wanted or len(output) != n_tiles or output.is_complex():
        found: object = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if isinstance(output, Tensor) and output.is_complex():
            found = f"complex numbers, {found}"
        raise ShapeMismatch(
            f"Extractor '{spec.name}' with pooling {spec.pooling} gives"
            f" {'(n, dim)' if wanted == 2 else '(n, tokens, width)'} for n = {n_tiles}; got {found}.",
            hint=None if isinstance(output, Tensor) else ONLY_TENSORS,
        )
    values = output.float()
    match spec.pooling:
        case Pooling.OUTPUT:
            vectors = values
        case Pooling.CLS:
            vectors = values[:, 0]
        case Pooling.MEAN:
            vectors = values[:, spec.prefix_tokens :].mean(1)
        case Pooling.CLS_MEAN:
            vectors = torch.cat([values[:, 0], values[:, spec.prefix_tokens :].mean(1)], dim=1)
    if vectors.shape[1] != spec.dim:
        raise ShapeMismatch(
            f"Extractor '{spec.name}' declares dim {spec.dim}; its vectors have {vectors.shape[1]}.",
            hint="Correct dim or pooling in its spec.",
        )
    return vectors
