"""Real tissue that ships with the package, under simulated stainings and scanners."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from plismbench.dataset import DEMO, TILE_SIZE, RegisteredDataset, Slide
from plismbench.tiles.demo.acquisition import Floats, Pixels, acquire, separate
from plismbench.tiles.source import TileBatch

STRIDE = 84
"""Distance of neighbouring tiles, px: they overlap, as one small section has no 256 apart."""

MARGIN = 16
"""Width of the border that no tile touches, px: what the simulated sections move in and out."""

_GLASS = 215
"""A pixel is glass if all its channels are at least this bright."""


@dataclass(frozen=True)
class DemoTiles:
    """The 256 places with most tissue on a grid over one skin section, registered by construction.

    ``xy`` counts strides of the grid, not whole tiles. A slide is rendered when it is asked for, in
    memory and whole (some seconds, about 0.5 GB), so its pixels do not depend on the batch size.
    """

    @property
    def dataset(self) -> RegisteredDataset:
        """The demo data set."""
        return DEMO

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, ``size`` at a time.

        Raises:
            UnknownName: if the simulation has no such staining or scanner.
        """
        for start in range(0, DEMO.tiles_per_slide, size):
            yield self.pick(slide, range(start, min(start + size, DEMO.tiles_per_slide)))

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide: see `TilesAtHand`.

        Raises:
            UnknownName: if the simulation has no such staining or scanner.
        """
        xy = _section()[1][list(rows)]
        picture = _picture(slide)
        return TileBatch(slide, xy, np.stack([_window(picture, x, y) for x, y in xy]))


@cache
def _section() -> tuple[Floats, npt.NDArray[np.int32]]:
    """What every slide shares: the concentrations of the dyes, and where the tiles are."""
    with (files("plismbench") / "resources" / "demo_tissue.jpg").open("rb") as stream:
        pixels = np.asarray(Image.open(stream))
    return separate(pixels), _places(pixels)


@lru_cache(maxsize=8)
def _picture(slide: Slide) -> Pixels:
    """A rendered slide, 12 MB; those used last are kept for the next model."""
    concentrations, _ = _section()
    return acquire(concentrations, slide)


def _places(pixels: Pixels) -> npt.NDArray[np.int32]:
    """(256, 2) int32, sorted by x, then y; of equal amounts of tissue the first is kept."""
    tissue = pixels.min(axis=2) < _GLASS
    rows, columns = ((side - 2 * MARGIN - TILE_SIZE) // STRIDE + 1 for side in tissue.shape)
    grid = np.array([(x, y) for x in range(columns) for y in range(rows)], dtype=np.int32)
    amounts = np.array([np.count_nonzero(_window(tissue, x, y)) for x, y in grid])
    kept = np.argsort(-amounts, kind="stable")[: DEMO.tiles_per_slide]
    return grid[np.sort(kept)]


_Picture = TypeVar("_Picture", Pixels, npt.NDArray[np.bool_])


def _window(picture: _Picture, x: int, y: int) -> _Picture:
    left, top = MARGIN + STRIDE * x, MARGIN + STRIDE * y
    return picture[top : top + TILE_SIZE, left : left + TILE_SIZE]
