"""The other published layout: one HDF5 file a slide, with one array a tile, named by the tile's id."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plismbench.dataset import TILE_SIZE, RegisteredDataset, Slide
from plismbench.errors import CorruptFile, Unavailable, first_line_of
from plismbench.tiles.ids import require_apart, require_count, require_tiles, tile_xy
from plismbench.tiles.source import KeptSlide, KeptTiles, Place
from plismbench.tiles.thread_pool import in_order, threads

if TYPE_CHECKING:
    import h5py


@dataclass(frozen=True)
class H5File(KeptSlide[Place]):
    """The tiles of one slide in one HDF5 file."""

    path: Path

    def places(self, dataset: RegisteredDataset | None) -> list[Place]:
        """See `KeptSlide`; HDF5 itself lists tiles by their ids as text."""
        with self._open() as content:
            tile_ids = list(content)
        places = []
        for tile_id in tile_ids:
            xy = tile_xy(tile_id)
            if xy is None:
                raise CorruptFile(f"Not the id of a tile: {tile_id!r} of slide {self.slide} in {self.path.name}.")
            places.append(Place(*xy, tile_id))
        places.sort()
        require_apart(places, self.slide, self.path.name)
        if dataset:
            require_count(self.slide, len(places), dataset.tiles_per_slide, self.path.name)
            require_tiles(dataset, self.slide, (place.name for place in places), self.path.name)
        return places

    def pixels(self, places: list[Place], ahead: int) -> Generator[npt.NDArray[np.uint8], None, None]:
        """See `KeptSlide`."""
        with self._open() as content, threads(1) as readers:  # HDF5 reads with one thread at a time
            yield from in_order(readers, lambda place: self._read(content, place.name), places, ahead)

    def _open(self) -> "h5py.File":
        import h5py

        try:
            return h5py.File(self.path, "r", locking=False)
        except FileNotFoundError as error:
            raise Unavailable(f"Slide {self.slide} is not there: no file {self.path}.") from error
        except OSError as error:
            raise CorruptFile(f"{self.path} cannot be read as HDF5: {_unquoted(error)}.") from error

    def _read(self, content: "h5py.File", tile_id: str) -> npt.NDArray[np.uint8]:
        name = f"tile {tile_id} of slide {self.slide} in {self.path.name}"
        try:
            stored = content[tile_id]
            # Asked before anything is read: a file may claim an array larger than memory.
            shape, kind = getattr(stored, "shape", None), getattr(stored, "dtype", None)
            if shape != (TILE_SIZE, TILE_SIZE, 3) or kind != np.uint8:
                raise CorruptFile(f"Not ({TILE_SIZE}, {TILE_SIZE}, 3) uint8 but {shape} {kind}: {name}.")
            pixels: npt.NDArray[np.uint8] = stored[()]
        except (OSError, KeyError, RuntimeError) as error:  # h5py's words for a damaged file
            raise CorruptFile(f"Not a whole array, {_unquoted(error)}: {name}.") from error
        return pixels


@dataclass(frozen=True)
class H5Tiles(KeptTiles):
    """Tiles of the published HDF5 files, ``STAINING_SCANNER_to_REFERENCE.tif.h5`` in one folder."""

    folder: Path

    def of(self, slide: Slide) -> H5File:
        """The file of a slide.

        Raises:
            Unavailable: if it is not there.
            CorruptFile: if there are two.
        """
        found = sorted(self.folder.glob(f"{slide}_to_*.tif.h5"))
        if not found:
            raise Unavailable(f"Slide {slide} is not there: no file {slide}_to_….tif.h5 in {self.folder}.")
        if len(found) > 1:
            raise CorruptFile(f"Slide {slide} is there twice: {found[0].name} and {found[1].name} in {self.folder}.")
        return H5File(slide, found[0])


def _unquoted(error: Exception) -> str:
    return first_line_of(error).strip("'\". ")
