"""Downloaded shards, and whether what was downloaded is enough."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import Unavailable
from plismbench.tiles.files import DiskFiles
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.ids import require_tiles
from plismbench.tiles.plism.index import read_index
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.shards import READERS, Shards
from plismbench.tiles.source import TileBatch
from plismbench.tiles.thread_pool import threads
from plismbench.workspace import Workspace


@dataclass(frozen=True)
class LocalShards:
    """Tiles of the published parquet shards, or some of them, in one folder."""

    dataset: RegisteredDataset
    folder: Path

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, by x, then by y: see `TileSource`.

        Raises:
            Unavailable: if there are no shards.
            CorruptFile: if a shard is not what it should be, or one is missing.
        """
        return self._shards().batches(self.dataset, slide, size)

    def pick(self, slide: Slide, rows: Sequence[int]) -> TileBatch:
        """Some tiles of a slide: see `TilesAtHand`. Only their row groups are read.

        Raises:
            Unavailable: if there are no shards.
            CorruptFile: if a shard is not what it should be, or one is missing.
        """
        return self._shards().pick(self.dataset, slide, rows)

    def tile_ids(self, slide: Slide) -> list[str]:
        """The ids of a slide's tiles, by x, then by y.

        Raises:
            Unavailable: if there are no shards.
            CorruptFile: if the slide has other tiles than the data set, or a shard cannot be read.
        """
        with threads(READERS) as readers:
            places = self._shards().places(slide, self.dataset.tiles_per_slide, readers)
        tile_ids = [place.tile_id for place in places]
        require_tiles(self.dataset, slide, tile_ids, str(self.folder))
        return tile_ids

    def _shards(self) -> Shards:
        paths = sorted(str(path) for path in self.folder.glob(Layout.TILES.pattern))
        if not paths:
            raise Unavailable(f"There are no shards in {self.folder}.")
        return Shards(DiskFiles(), tuple(paths))


DownloadedTiles: TypeAlias = LocalShards | H5Tiles


def downloaded(dataset: RegisteredDataset, layout: Layout, workspace: Workspace) -> DownloadedTiles:
    """The tiles of a layout as they are on the disk, whether or not they are all there."""
    folder = workspace.tiles(layout, dataset.revision)
    return LocalShards(dataset, folder) if layout is Layout.TILES else H5Tiles(dataset, folder)


def has_all(dataset: RegisteredDataset, layout: Layout, workspace: Workspace, slides: Iterable[Slide]) -> bool:
    """Whether every file with tiles of some slides is there.

    A file appears only after its checksum was right, so its size is all that is looked at.

    Raises:
        CorruptFile: if the index is damaged.
    """
    folder = workspace.tiles(layout, dataset.revision)
    index = read_index(folder)
    if index is None:
        return False
    try:
        return all(is_there(folder / file.path, file.size) for file in index.needed(slides))
    except Unavailable:  # this layout does not have one of them
        return False


def is_there(path: Path, size: int) -> bool:
    """Whether a file exists, has its size, and was not found damaged."""
    try:
        return path.stat().st_size == size and not damage_mark(path).exists()
    except FileNotFoundError:
        return False


def damage_mark(path: Path) -> Path:
    """An empty file that stands beside a damaged one, until a download has replaced that."""
    return path.with_name(f".{path.name}.damaged")
