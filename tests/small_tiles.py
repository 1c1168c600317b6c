"""A source of small slides of noise; importable in other processes."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from stores import SLIDES, make_dataset, make_xy

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.tiles.source import TileBatch

TILES = 30
TINY = make_dataset(TILES)


@dataclass(frozen=True)
class RandomTiles:
    """Noise that is the same for the same slide."""

    dataset: RegisteredDataset = TINY
    missing: int = 0

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        seed = SLIDES.index(slide)
        pixels = np.random.default_rng(seed).integers(0, 256, (TILES - self.missing, 224, 224, 3), dtype=np.uint8)
        for start in range(0, len(pixels), size):
            rows = slice(start, start + size)
            yield TileBatch(slide, make_xy(TILES)[: len(pixels)][rows], pixels[rows])


@dataclass(frozen=True)
class SlowTiles(RandomTiles):
    """The same at half a second a batch; notes which process read which slide."""

    log: str = ""

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        (Path(self.log) / f"{slide} {os.getpid()}").touch()
        for batch in super().batches(slide, size):
            time.sleep(0.5)
            yield batch
