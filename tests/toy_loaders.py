"""Loaders of small networks, good and bad, that extraction tests name in specs."""

import torch
from torch import nn


class Projection(nn.Module):
    """A fixed random projection of a 4 × 4 thumbnail."""

    def __init__(self, dim):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(48, dim, generator=generator))

    def forward(self, image):
        return torch.nn.functional.adaptive_avg_pool2d(image, 4).flatten(1) @ self.weight


class Spoilt(Projection):
    """The same, but one tile in a batch is not a number, or too large."""

    def __init__(self, dim, value):
        super().__init__(dim)
        self.value = value

    def forward(self, image):
        vectors = super().forward(image).clone()
        vectors[3, 1] = self.value
        return vectors


def projection(spec):
    return Projection(spec.dim)


def spoilt(spec):
    return Spoilt(spec.dim, float(spec.options["value"]))


def wider(spec):
    return Projection(spec.dim + 1)


class Halved(Projection):
    """The same, in float16 whatever it is asked for."""

    def forward(self, image):
        return super().forward(image).half()


def unseeded(spec):
    module = Projection(spec.dim)
    torch.nn.init.normal_(module.weight)
    return module


def halved(spec):
    return Halved(spec.dim)
