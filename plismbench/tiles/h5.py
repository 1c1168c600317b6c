"""The other published layout: one HDF5 file a slide, with one array a tile, named by the tile's id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plismbench.dataset import TILE_SIZE, RegisteredDataset, Slide
from plismbench.errors import CorruptFile, Unavailable, first_line_of
from plismbench.tiles.ids import require_apart, require_count, require_tiles, tile_xy
from plismbench.tiles.source import TileBatch
from plismbench.tiles.thread_pool import in_order, threads

if TYPE_CHECKING:
    import h5py


class TileKey(NamedTuple):
    """What an HDF5 file calls a tile. Sorts by x, then by y; HDF5 itself lists keys as text."""

    x: int
    y: int
    tile_id: str


@dataclass(frozen=True)
class H5File:
    """The tiles of one slide in one HDF5 file."""

    path: Path
    slide: Slide

    def places(self, dataset: RegisteredDataset | None) -> list[TileKey]:
        """Every tile, by x, then by y.

        Args:
            dataset: says which tiles there must be; None takes what is there.

        Raises:
            CorruptFile: if the file cannot be read, or has other tiles than the data set.
        """
        with self._open() as content:
            return self._keys(content, dataset)

    def batches(self, dataset: RegisteredDataset, size: int) -> Iterator[TileBatch]:
        """All tiles, by x, then by y, read one batch ahead: see `TileSource`.

        Raises:
            CorruptFile: if the file cannot be read, or is not what it should be.
        """
        with self._open() as content, threads(1) as readers:  # HDF5 reads with one thread at a time
            keys = self._keys(content, dataset)
            starts = range(0, len(keys), size)
            yield from in_order(readers, lambda start: self._read(content, keys[start : start + size]), starts, ahead=1)

    def pick(self, dataset: RegisteredDataset, rows: Sequence[int]) -> TileBatch:
        """Some tiles: see `TilesAtHand`.

        Raises:
            CorruptFile: if the file cannot be read, or is not what it should be.
        """
        with self._open() as content:
            keys = self._keys(content, dataset)
            return self._read(content, [keys[row] for row in rows])

    def _open(self) -> "h5py.File":
        import h5py

        try:
            return h5py.File(self.path, "r", locking=False)
        except FileNotFoundError as error:
            raise Unavailable(f"Slide {self.slide} is not there: no file {self.path}.") from error
        except OSError as error:
            raise CorruptFile(f"{self.path} cannot be read as HDF5: {_unquoted(error)}.") from error

    def _keys(self, content: "h5py.File", dataset: RegisteredDataset | None) -> list[TileKey]:
        keys = []
        for tile_id in content:
            xy = tile_xy(tile_id)
            if xy is None:
                raise CorruptFile(f"Not the id of a tile: {tile_id!r} of slide {self.slide} in {self.path.name}.")
            keys.append(TileKey(*xy, tile_id))
        keys.sort()
        require_apart(keys, self.slide, self.path.name)
        if dataset is None:
            return keys
        require_count(self.slide, len(keys), dataset.tiles_per_slide, self.path.name)
        require_tiles(dataset, self.slide, (key.tile_id for key in keys), self.path.name)
        return keys

    def _read(self, content: "h5py.File", keys: list[TileKey]) -> TileBatch:
        return TileBatch.at(self.slide, keys, (self._read_tile(content, key.tile_id) for key in keys))

    def _read_tile(self, content: "h5py.File", tile_id: str) -> npt.NDArray[np.uint8]:
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
class H5Tiles:
    """Tiles of the published HDF5 files, ``STAINING_SCANNER_to_REFERENCE.tif.h5`` in one folder."""

    dataset: RegisteredDataset
    folder: Path

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, by x, then by y: see `TileSource`.

        Raises:
            Unavailable: if the slide's file is not there.
            CorruptFile: if it is not what it should be.
        """
        return self.file(slide).batches(self.dataset, size)

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide: see `TilesAtHand`.

        Raises:
            Unavailable: if the slide's file is not there.
            CorruptFile: if it is not what it should be.
        """
        return self.file(slide).pick(self.dataset, rows)

    def tile_ids(self, slide: Slide) -> list[str]:
        """The ids of a slide's tiles, by x, then by y.

        Raises:
            Unavailable: if the slide's file is not there.
            CorruptFile: if it cannot be read, or has other tiles than the data set.
        """
        return [key.tile_id for key in self.file(slide).places(self.dataset)]

    def file(self, slide: Slide) -> H5File:
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
        return H5File(found[0], slide)


def _unquoted(error: Exception) -> str:
    return first_line_of(error).strip("'\". ")
