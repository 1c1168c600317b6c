"""The contract of everything that yields pixels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import ShapeMismatch


@dataclass(frozen=True)
class TileBatch:
    """Some tiles of one slide.

    Args:
        slide: where they are from; a batch never crosses a slide.
        xy: (n, 2) int32 tile coordinates, in tile units: x right, y down.
        pixels: (n, height, width, 3) uint8 RGB.

    Raises:
        ShapeMismatch: if an array has another shape or type.
    """

    slide: Slide
    xy: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        n_tiles = len(self.pixels)
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or self.pixels.shape[3] != 3:
            raise ShapeMismatch(
                f"Tiles of {self.slide} are (n, height, width, 3) uint8; got {self.pixels.shape} {self.pixels.dtype}."
            )
        if self.xy.dtype != np.int32 or self.xy.shape != (n_tiles, 2):
            raise ShapeMismatch(
                f"Coordinates of {self.slide} are ({n_tiles}, 2) int32; got {self.xy.shape} {self.xy.dtype}."
            )

    @classmethod
    def at(cls, slide: Slide, places: Sequence[tuple[Any, ...]], pixels: Iterable[npt.NDArray[np.uint8]]) -> Self:
        """Tiles one by one, each with its place, which begins with x and y."""
        return cls(slide, np.array([place[:2] for place in places], np.int32), np.stack(list(pixels)))

    def __len__(self) -> int:
        return len(self.pixels)


class TileSource(Protocol):
    """Yields the tiles of one slide at a time, always in the same order: by x, then by y.

    A source is small and picklable: it travels to workers, and opens files there.
    """

    @property
    def dataset(self) -> RegisteredDataset:
        """What this source has the pixels of."""
        ...

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All ``dataset.tiles_per_slide`` tiles of a slide, ``size`` at a time; the last may be smaller.

        Raises:
            Unavailable: if the pixels cannot be fetched.
            CorruptFile: if what was fetched is not what it should be.
        """
        ...


class TilesAtHand(TileSource, Protocol):
    """Tiles that cost no network, so that a few of them can be looked at."""

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide as one batch, in the order of ``rows``: positions in the order of a `TileSource`.

        Raises:
            CorruptFile: if what is there is not what it should be.
            Unavailable: if it is not there any more.
        """
        ...
