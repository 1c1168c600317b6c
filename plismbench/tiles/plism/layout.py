"""How PLISM is published, by name."""

from enum import StrEnum


class Layout(StrEnum):
    """How the tiles are published: rows of parquet shards, or one HDF5 file a slide."""

    TILES = "tiles"
    H5 = "h5"

    @property
    def repo(self) -> str:
        """Where it is published."""
        return {Layout.TILES: "owkin/plism-dataset-tiles", Layout.H5: "owkin/plism-dataset"}[self]

    @property
    def pattern(self) -> str:
        """What the names of its files are like.

        The HDF5 files lie at the root of their repository: plism-benchmark downloads it with its
        folders, and then looks for them in the topmost one only.
        """
        return {Layout.TILES: "data/*.parquet", Layout.H5: "*.h5"}[self]
