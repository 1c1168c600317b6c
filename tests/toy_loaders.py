"""Loaders of small networks, good and bad, that extraction tests name in specs; and the spec of a real small one."""

import os
import signal
import time
from pathlib import Path

import torch
from torch import nn

from plismbench.extractors.spec import ExtractorSpec

VIT = ExtractorSpec(
    name="vit",
    loader="plismbench.extractors.baselines:random_timm",
    dim=64,
    image_size=160,
    options={"architecture": "test_vit", "seed": 0},
)


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


class Deadly(Projection):
    """The same, but it kills its process at some call, once a file is there."""

    def __init__(self, dim, once, call):
        super().__init__(dim)
        self.once, self.left = Path(once), call

    def forward(self, image):
        self.left -= 1
        while self.left <= 0:
            if self.once.exists():
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.01)
        return super().forward(image)


def projection(spec):
    return Projection(spec.dim)


def spoilt(spec):
    return Spoilt(spec.dim, float(spec.options["value"]))


def wider(spec):
    return Projection(spec.dim + 1)


def deadly(spec):
    return Deadly(spec.dim, **spec.options)


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
