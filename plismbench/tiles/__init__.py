"""Pixels in: where the tiles of a slide come from."""

from plismbench.dataset import DEMO, RegisteredDataset
from plismbench.tiles.source import TileSource


def tile_source(dataset: RegisteredDataset) -> TileSource:
    """Where the pixels of a data set come from: drawn here for the demo, the Hub for PLISM."""
    # Each needs packages (scikit-image, huggingface_hub) that take long to import.
    if dataset == DEMO:
        from plismbench.tiles.demo import DemoTiles

        return DemoTiles()
    from plismbench.tiles.hub import HubTiles

    return HubTiles(dataset)
