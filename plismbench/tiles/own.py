"""Tiles of a data set of one's own: a folder of images, an HDF5 file or a parquet file a slide."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, InvalidInput
from plismbench.own_dataset import OwnDataset
from plismbench.tiles.files import DiskFiles
from plismbench.tiles.h5 import H5File
from plismbench.tiles.images import ImageFolder
from plismbench.tiles.shards import Shards
from plismbench.tiles.source import KeptSlide, KeptTiles, TileBatch


@dataclass(frozen=True)
class OwnTiles(KeptTiles):
    """Tiles of slides that a TOML file describes."""

    dataset: OwnDataset

    def of(self, slide: Slide) -> KeptSlide[Any]:
        """The tiles of a slide; the ending of its path says how they are kept.

        Raises:
            InvalidInput: if that is another way than the three.
        """
        path = self.dataset.path(slide)
        if path.is_dir():
            return ImageFolder(slide, path)
        match path.suffix.lower():
            case ".h5" | ".hdf5":
                return H5File(slide, path)
            case ".parquet":
                return Shards(slide, DiskFiles(), (str(path),))
        raise InvalidInput(f"Slide {slide} is a folder of images, an .h5 or a .parquet file; got {path}.")

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide: see `TileSource`.

        Raises:
            CorruptFile: if the slide shows other places than the first one, or not as many as the description
                says, or a tile is not what it should be.
            InvalidInput: as `of` does.
        """
        first = self.dataset.slides[0]
        here, there = _places(self, slide), _places(self, first)
        if here != there:
            x, y = min(here ^ there)
            how = "has" if (x, y) in here else "lacks"
            if len(here) == len(there):
                also = f"one of {len(here - there):,} that are elsewhere"
            else:
                also = f"and has {len(here):,} tiles, not {len(there):,}"
            raise CorruptFile(
                f"Slide {slide} shows other places than {first}: it {how} tile {x}_{y}, {also}.",
                hint="Are X and Y of one swapped?" if {(y, x) for x, y in here} == there else None,
            )
        if len(here) != self.dataset.tiles_per_slide:
            said = f"{self.dataset.file.name} says tiles = {self.dataset.tiles_per_slide}"
            raise CorruptFile(f"Slide {slide} has {len(here):,} tiles in {self.dataset.path(slide)}, and {said}.")
        return super().batches(slide, size)


@lru_cache(maxsize=2)  # of this slide, and of the first
def _places(tiles: OwnTiles, slide: Slide) -> frozenset[tuple[int, int]]:
    """The places of a slide's tiles; their number is checked later: comparing slides names a missing one."""
    return frozenset(place[:2] for place in tiles.of(slide).places(None))
