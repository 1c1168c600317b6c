"""A spec tried on a network without weights: what is wrong is said before gigabytes are downloaded."""

import torch
from torch import nn

from plismbench.errors import InvalidInput, words_of
from plismbench.extractors.pooling import pooled
from plismbench.extractors.spec import ExtractorSpec, Pooling
from plismbench.extractors.towers import build_tower


def tried_tower(spec: ExtractorSpec) -> nn.Module:
    """The tower of a spec, on no device, after one tile of the spec's size.

    Raises:
        InvalidInput: if it cannot be built, does not take such a tile, or has other tokens in front of its patches
            than the spec says.
        ShapeMismatch: if it gives another shape than the spec says.
    """
    with torch.device("meta"):  # without drawing a billion random numbers that the checkpoint replaces
        module = build_tower(spec)
        try:
            output = module.eval()(torch.empty(1, 3, spec.image_size, spec.image_size))
        except Exception as error:  # of whatever class: layers of timm and torch refuse a tile in their own ways
            what = words_of(error)
            raise InvalidInput(f"'{spec.name}' does not take tiles of {spec.image_size} pixels: {what}.") from error
        pooled(output, spec, 1)
    prefix_tokens = getattr(module, "num_prefix_tokens", spec.prefix_tokens)
    if spec.pooling in (Pooling.MEAN, Pooling.CLS_MEAN) and prefix_tokens != spec.prefix_tokens:
        raise InvalidInput(
            f"Extractor '{spec.name}' declares prefix_tokens {spec.prefix_tokens}; its network has {prefix_tokens}.",
            hint="Registers are no patches: a mean over them would be another vector.",
        )
    return module
