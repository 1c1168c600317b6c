"""A spec tried on a network without weights: what is wrong is said before gigabytes are downloaded."""

import json
from contextlib import suppress
from dataclasses import replace

import torch
from torch import nn

from plismbench.errors import InvalidInput, ShapeMismatch, words_of
from plismbench.extractors.pooling import pooled
from plismbench.extractors.spec import ExtractorSpec, Pooling
from plismbench.extractors.towers import build_tower

# Left out, timm puts a classifier on top, and pools the tokens itself.
_OFTEN_LEFT_OUT = ({"num_classes": 0}, {"global_pool": ""}, {"num_classes": 0, "global_pool": ""})


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
        try:
            pooled(output, spec, 1)
        except ShapeMismatch as error:
            raise ShapeMismatch(error.message, hint=_remedy(spec) or error.hint) from None
    prefix_tokens = getattr(module, "num_prefix_tokens", spec.prefix_tokens)
    if spec.pooling in (Pooling.MEAN, Pooling.CLS_MEAN) and prefix_tokens != spec.prefix_tokens:
        raise InvalidInput(
            f"Extractor '{spec.name}' declares prefix_tokens {spec.prefix_tokens}; its network has {prefix_tokens}.",
            hint="Registers are no patches: a mean over them would be another vector.",
        )
    return module


def _remedy(spec: ExtractorSpec) -> str | None:
    """Options with which the tower gives what the spec says; None if none of them helps."""
    for options in _OFTEN_LEFT_OUT:
        with suppress(Exception):  # layers of timm and torch refuse options in their own ways
            other = replace(spec, options={**spec.options, **options})
            pooled(build_tower(other).eval()(torch.empty(1, 3, spec.image_size, spec.image_size)), other, 1)
            named = ", ".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
            return f"It fits with {named} among its options."
    return None
