"""Folders as plism-benchmark writes them."""

import numpy as np


def write_features(folder, vectors, xy, level=16, order=None):
    """One ``features.npy`` a slide; ``order`` permutes its rows."""
    for slide, values in vectors.items():
        table = np.column_stack([np.full(len(xy), level), xy, values]).astype(np.float32)
        path = folder / f"{slide}_to_GMH_S60.tif" / "features.npy"
        path.parent.mkdir(parents=True)
        np.save(path, table if order is None else table[order])
