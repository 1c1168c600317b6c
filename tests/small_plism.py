"""A small PLISM, in the layout of the published shards, written by `datasets` itself."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.tiles.source import TileBatch

SMALL = RegisteredDataset(
    name="plism",
    title="Small PLISM",
    slides=tuple(Slide(*code.split("_")) for code in ("GIV_P", "GIVH_P", "GIVH_S60", "GM_AT2", "GMH_S60", "HR_SQ")),
    default_slides=(Slide("GMH", "S60"), Slide("HR", "SQ")),
    tiles_per_slide=25,
    n_tiles=20,
    revision="main",
)
REPO = "owkin/plism-dataset-tiles"
H5_REPO = "owkin/plism-dataset"

# Neither sorted as text (100 before 9) nor, as text, sorted as numbers.
_XY = np.array([(x, y) for x in (8, 9, 10, 100, 101) for y in (7, 9, 10, 99, 100)], dtype=np.int32)


def small_tiles(dataset: RegisteredDataset = SMALL, seed: int = 0) -> dict[Slide, TileBatch]:
    """Every slide's tiles by x, then y: no two alike, and cheap to compress."""
    rng = np.random.default_rng(seed)
    xy = _XY[: dataset.tiles_per_slide]
    tiles = {}
    for slide in dataset.slides:
        pixels = np.empty((len(xy), 224, 224, 3), dtype=np.uint8)
        pixels[:] = rng.integers(0, 256, size=(len(xy), 1, 1, 3), dtype=np.uint8)
        pixels[:, 40:48, 100:140] = rng.integers(0, 256, size=(len(xy), 8, 40, 3), dtype=np.uint8)
        tiles[slide] = TileBatch(slide, xy, pixels)
    return tiles


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A PNG file of an array."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def published_rows(tiles: Mapping[Slide, TileBatch]) -> list[dict[str, Any]]:
    """The rows of all slides, sorted as text by slide id and tile id."""
    rows = [
        {
            "slide_id": f"{slide}_to_GMH_S60.tif",
            "tile_id": f"tile_16_{x}_{y}",
            "png": {"bytes": png(pixels), "path": f"tile_16_{x}_{y}.png"},
            "stainer": slide.staining,
            "scanner": slide.scanner,
        }
        for slide, batch in tiles.items()
        for (x, y), pixels in zip(batch.xy, batch.pixels, strict=True)
    ]
    return sorted(rows, key=lambda row: (row["slide_id"], row["tile_id"]))


def publish_small_plism(root: Path) -> Path:
    """Both published layouts, in the folder of a ``LoopbackHub``; gives that back."""
    tiles = small_tiles()
    write_shards(root / "datasets" / REPO, published_rows(tiles))
    write_h5(root / "datasets" / H5_REPO, tiles)
    return root


def write_shards(
    folder: Path, rows: Sequence[Mapping[str, Any]], n_shards: int = 5, rows_per_group: int = 7
) -> list[Path]:
    """Writes ``data/train-*.parquet`` under ``folder``; slides begin inside shards and row groups."""
    import datasets

    texts = {name: datasets.Value("string") for name in rows[0] if name != "png"}
    features = datasets.Features(texts | ({"png": datasets.Image()} if "png" in rows[0] else {}))
    whole = datasets.Dataset.from_list([dict(row) for row in rows], features=features)
    (folder / "data").mkdir(parents=True)
    paths = []
    for index in range(n_shards):
        path = folder / "data" / f"train-{index:05d}-of-{n_shards:05d}.parquet"
        whole.shard(n_shards, index, contiguous=True).to_parquet(path, batch_size=rows_per_group)
        paths.append(path)
    return paths


def write_h5(folder: Path, tiles: Mapping[Slide, TileBatch]) -> list[Path]:
    """Writes ``STAINING_SCANNER_to_GMH_S60.tif.h5`` under ``folder``, one array a tile."""
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for slide, batch in tiles.items():
        paths.append(folder / f"{slide}_to_GMH_S60.tif.h5")
        with h5py.File(paths[-1], "w") as content:
            for (x, y), pixels in zip(batch.xy, batch.pixels, strict=True):
                content[f"tile_16_{x}_{y}"] = pixels
    return paths
