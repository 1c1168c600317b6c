"""Pixels in: where the tiles of a slide come from."""

from dataclasses import dataclass
from enum import StrEnum

from plismbench.dataset import DEMO, RegisteredDataset, Slide
from plismbench.described import DescribedDataset
from plismbench.errors import Unavailable
from plismbench.tiles.layout import Layout
from plismbench.tiles.source import TileSource
from plismbench.workspace import Workspace


class SourceKind(StrEnum):
    """Where to read PLISM: ``auto`` is local if every slide is there, and else streams."""

    AUTO = "auto"
    LOCAL = "local"
    STREAM = "stream"


@dataclass(frozen=True)
class ChosenSource:
    """A source.

    Args:
        tiles: the source.
        origin: where it reads, in words.
        tile_bytes: what a tile costs to fetch, on average.
    """

    tiles: TileSource
    origin: str
    tile_bytes: int = 0


def tile_source(
    dataset: RegisteredDataset, workspace: Workspace, slides: tuple[Slide, ...], kind: SourceKind
) -> ChosenSource:
    """Where the pixels of some slides come from: drawn here for the demo, the disk or the Hub for PLISM.

    A data set of one's own is always read from where its description says.

    Raises:
        Unavailable: if they shall be local, and are not.
        CorruptFile: if what was downloaded has a damaged index.
    """
    # Each needs packages (scikit-image, huggingface_hub) that take long to import.
    if dataset == DEMO:
        from plismbench.tiles.demo import DemoTiles

        return ChosenSource(DemoTiles(), "drawn here")
    if isinstance(dataset, DescribedDataset):
        from plismbench.tiles.own import OwnTiles

        return ChosenSource(OwnTiles(dataset), f"read from {dataset.path(slides[0]).parent}")
    if kind is not SourceKind.STREAM:
        from plismbench.tiles.local import downloaded, has_all

        for layout in Layout:
            if has_all(dataset, layout, workspace, slides):
                return ChosenSource(
                    downloaded(dataset, layout, workspace),
                    f"read from {workspace.tiles(layout, dataset.revision)}",
                )
    if kind is SourceKind.LOCAL:
        raise Unavailable(
            f"Not all of the {len(slides)} slides are under {workspace.root}.",
            hint="Run `plismbench download` with the same choice of slides, or use --source stream.",
        )
    from plismbench.tiles.hub import TILE_BYTES, HubTiles

    source = HubTiles(dataset)
    return ChosenSource(source, f"streamed from {source.repo}, nothing is kept on the disk", TILE_BYTES)
