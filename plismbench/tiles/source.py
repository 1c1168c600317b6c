"""The contract of everything that yields pixels."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

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


class Place(NamedTuple):
    """Where a tile lies, and what its file calls it. Sorts by x, then by y."""

    x: int
    y: int
    name: str


_Place = TypeVar("_Place", bound=tuple[Any, ...])
"""`Place`, or a tuple that begins like one."""


@dataclass(frozen=True)
class KeptSlide(ABC, Generic[_Place]):
    """The tiles of one slide in files; each way of keeping them says where they lie, and reads them."""

    slide: Slide

    @abstractmethod
    def places(self, dataset: RegisteredDataset | None) -> list[_Place]:
        """Every tile, by x, then by y.

        Args:
            dataset: says which tiles there must be; None takes what is there.

        Raises:
            Unavailable: if a file is not there.
            CorruptFile: if it cannot be read, two tiles show one place, or they are others than the data set's.
        """

    @abstractmethod
    def pixels(self, places: list[_Place], ahead: int) -> Generator[npt.NDArray[np.uint8], None, None]:
        """The tiles at some places, in their order, with up to ``ahead`` of them read before they are asked for.

        Raises:
            CorruptFile: if a tile is not what it should be.
        """

    def batches(self, dataset: RegisteredDataset, size: int) -> Iterator[TileBatch]:
        """All tiles: see `TileSource`."""
        places = self.places(dataset)
        with closing(self.pixels(places, ahead=size)) as pixels:
            for start in range(0, len(places), size):
                yield self._batch(places[start : start + size], pixels)

    def pick(self, dataset: RegisteredDataset, rows: Sequence[int]) -> TileBatch:
        """Some tiles: see `TilesAtHand`."""
        every = self.places(dataset)
        places = [every[row] for row in rows]
        with closing(self.pixels(places, ahead=len(places))) as pixels:
            return self._batch(places, pixels)

    def _batch(self, places: list[_Place], pixels: Iterator[npt.NDArray[np.uint8]]) -> TileBatch:
        xy = np.array([place[:2] for place in places], np.int32)
        return TileBatch(self.slide, xy, np.stack(list(islice(pixels, len(places)))))


@dataclass(frozen=True)
class KeptTiles(ABC):
    """Tiles in files: a `TilesAtHand` that knows how each slide is kept."""

    dataset: RegisteredDataset

    @abstractmethod
    def of(self, slide: Slide) -> KeptSlide[Any]:
        """The tiles of a slide.

        Raises:
            Unavailable: if they are not there.
        """

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide: see `TileSource`."""
        return self.of(slide).batches(self.dataset, size)

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide: see `TilesAtHand`."""
        return self.of(slide).pick(self.dataset, rows)
