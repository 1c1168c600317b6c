"""Tiles of a data set of one's own: a folder of images, an HDF5 file or a parquet file a slide."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile, InvalidInput
from plismbench.own_dataset import OwnDataset
from plismbench.tiles.files import DiskFiles
from plismbench.tiles.h5 import H5File
from plismbench.tiles.images import ImageFolder
from plismbench.tiles.shards import READERS, Shards, TilePlace
from plismbench.tiles.source import TileBatch
from plismbench.tiles.thread_pool import threads


class _SlideFile(Protocol):
    def places(self, dataset: RegisteredDataset | None) -> Sequence[tuple[int, int, *tuple[object, ...]]]: ...

    def batches(self, dataset: RegisteredDataset, size: int) -> Iterator[TileBatch]: ...

    def pick(self, dataset: RegisteredDataset, rows: Sequence[int]) -> TileBatch: ...


@dataclass(frozen=True)
class OwnTiles:
    """Tiles of slides that a TOML file describes; the ending of a slide's path says how they are kept."""

    dataset: OwnDataset

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, by x, then by y: see `TileSource`.

        Raises:
            CorruptFile: if the slide shows other places than the first one, or a tile is not what it should be.
            InvalidInput: if the slide is kept in another way than the three.
        """
        first = self.dataset.slides[0]
        here, there = _places(self.dataset, slide), _places(self.dataset, first)
        if here != there:
            x, y = min(here ^ there)
            how = "has" if (x, y) in here else "lacks"
            raise CorruptFile(
                f"Slide {slide} shows other places than {first}: it {how} tile {x}_{y}, and has {len(here):,} tiles,"
                f" not {len(there):,}."
            )
        yield from _slide_file(self.dataset, slide).batches(self.dataset, size)

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide: see `TilesAtHand`.

        Raises:
            CorruptFile: if a tile is not what it should be, or the slide has too few or many.
            InvalidInput: if the slide is kept in another way than the three.
        """
        return _slide_file(self.dataset, slide).pick(self.dataset, rows)


@dataclass(frozen=True)
class ParquetFile:
    """The tiles of one slide in a parquet file, with the columns of the published shards."""

    path: Path
    slide: Slide

    def places(self, dataset: RegisteredDataset | None) -> list[TilePlace]:
        """Every tile, by x, then by y.

        Args:
            dataset: says how many there must be; None takes as many as there are.

        Raises:
            CorruptFile: if there are too few or many, or the file cannot be read.
        """
        with threads(READERS) as readers:
            return self._shards().places(self.slide, dataset.tiles_per_slide if dataset else None, readers)

    def batches(self, dataset: RegisteredDataset, size: int) -> Iterator[TileBatch]:
        """All tiles, by x, then by y: see `TileSource`.

        Raises:
            CorruptFile: as `places`; or if an image is not what it should be.
        """
        return self._shards().batches(dataset, self.slide, size)

    def pick(self, dataset: RegisteredDataset, rows: Sequence[int]) -> TileBatch:
        """Some tiles: see `TilesAtHand`.

        Raises:
            CorruptFile: as `places`; or if an image is not what it should be.
        """
        return self._shards().pick(dataset, self.slide, rows)

    def _shards(self) -> Shards:
        return Shards(DiskFiles(), (str(self.path),))


def _slide_file(dataset: OwnDataset, slide: Slide) -> _SlideFile:
    path = dataset.path(slide)
    if path.is_dir():
        return ImageFolder(path, slide)
    match path.suffix.lower():
        case ".h5" | ".hdf5":
            return H5File(path, slide)
        case ".parquet":
            return ParquetFile(path, slide)
    raise InvalidInput(f"Slide {slide} is a folder of images, an .h5 or a .parquet file; got {path}.")


@lru_cache(maxsize=2)  # of this slide, and of the first
def _places(dataset: OwnDataset, slide: Slide) -> frozenset[tuple[int, int]]:
    """The places of a slide's tiles; their number is checked later: comparing slides names a missing one."""
    return frozenset(place[:2] for place in _slide_file(dataset, slide).places(None))
