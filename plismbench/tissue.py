"""Which tissue a tile shows: a core of the microarray, known from the tile's place alone."""

import json
import math
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset

_TILES_PER_BLOCK = 16
_MOST_BLOCKS_A_SIDE = 7


@dataclass(frozen=True)
class Tissue:
    """The cores of a data set and the one that each tile belongs to.

    Cores are the units of uncertainty: tiles of one core resemble each other, so resampling tiles
    would promise too much.

    Args:
        names: of the cores.
        labels: (n_tiles,) int64, positions in ``names``.
    """

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]

    def at(self, rows: npt.NDArray[np.int64]) -> "Tissue":
        """The cores of some tiles; a core without any is left out."""
        kept, labels = np.unique(self.labels[rows], return_inverse=True)
        return Tissue(tuple(self.names[core] for core in kept), labels)


def tissue_of(dataset: RegisteredDataset, xy: npt.NDArray[np.int32]) -> Tissue:
    """The cores of a data set's tiles.

    A data set that names its cores has their centres as a resource, and a tile belongs to the
    nearest: for PLISM that agrees with the authors' table on 99.1 % of the tiles. Any other is cut
    into blocks of neighbouring tiles.

    Args:
        dataset: whose tiles they are.
        xy: (n_tiles, 2) int32 coordinates of all tiles of a slide, not of a subset: a block would move.
    """
    if dataset.cores is None:
        return _blocks(xy)
    cores = json.loads((files("plismbench") / "resources" / dataset.cores).read_text(encoding="utf-8"))["cores"]
    centres = np.array([(core["x"], core["y"]) for core in cores], np.float64)
    squared = ((xy[:, None, :].astype(np.float64) - centres) ** 2).sum(axis=2)
    return Tissue(tuple(core["name"] for core in cores), squared.argmin(axis=1).astype(np.int64))


def _blocks(xy: npt.NDArray[np.int32]) -> Tissue:
    """As many columns of tiles as rows in each, with about as many tiles each; at most 7 × 7."""
    n_tiles = len(xy)
    side = max(1, min(_MOST_BLOCKS_A_SIDE, math.isqrt(n_tiles // _TILES_PER_BLOCK)))
    labels = np.empty(n_tiles, np.int64)
    for column, tiles in enumerate(np.array_split(np.lexsort((xy[:, 1], xy[:, 0])), side)):
        for row, block in enumerate(np.array_split(tiles[np.lexsort((xy[tiles, 0], xy[tiles, 1]))], side)):
            labels[block] = column * side + row
    return Tissue(tuple(f"block_{column + 1}_{row + 1}" for column in range(side) for row in range(side)), labels)
