"""Downloaded shards, and whether what was downloaded is enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import Unavailable
from plismbench.tiles.files import DiskFiles
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.plism.index import read_index
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.shards import Shards
from plismbench.tiles.source import KeptTiles
from plismbench.workspace import Workspace


@dataclass(frozen=True)
class LocalShards(KeptTiles):
    """Tiles of the published parquet shards, or some of them, in one folder."""

    folder: Path

    def of(self, slide: Slide) -> Shards:
        """The tiles of a slide.

        Raises:
            Unavailable: if there are no shards.
        """
        paths = sorted(str(path) for path in self.folder.glob(Layout.TILES.pattern))
        if not paths:
            raise Unavailable(f"There are no shards in {self.folder}.")
        return Shards(slide, DiskFiles(), tuple(paths))


def downloaded(dataset: RegisteredDataset, layout: Layout, workspace: Workspace) -> KeptTiles:
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
