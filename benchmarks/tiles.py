"""Tiles a second of each layout from the local disk, and how long a model would wait for them.

    python benchmarks/tiles.py [--tiles 2048] [--batch 32] [--rate 200]

Pixels are those of the demo, whose PNG files are about as large as PLISM's (99 kB). The consumer
stands for a model: it sleeps as long as a batch would take at ``--rate`` tiles/s. What it then still
waits for is what the source cannot hide behind it. Files are in the page cache, so this measures
reading and decoding, not the disk.
"""

import argparse
import io
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import datasets
import h5py
from PIL import Image

from plismbench.dataset import DEMO, PLISM, Slide
from plismbench.tiles.demo import DemoTiles
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.plism.local import LocalShards

SLIDE = Slide("GMH", "S60")


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write(folder, n_tiles):
    """One slide in both layouts; returns the mean size of a PNG file."""
    (batch,) = DemoTiles().batches(SLIDE, DEMO.tiles_per_slide)
    encoded = [png(pixels) for pixels in batch.pixels]
    places = sorted(f"tile_16_{x}_{y}" for x in range(8, 258) for y in range(6, 188))[:n_tiles]
    rows = [
        {"slide_id": f"{SLIDE}_to_GMH_S60.tif", "tile_id": place, "png": {"bytes": encoded[i % 256], "path": None}}
        for i, place in enumerate(places)
    ]
    text = datasets.Value("string")
    features = datasets.Features({"slide_id": text, "tile_id": text, "png": datasets.Image()})
    (folder / "data").mkdir()
    table = datasets.Dataset.from_list(rows, features=features)
    table.to_parquet(folder / "data" / "train-00000-of-00001.parquet", batch_size=99)
    with h5py.File(folder / f"{SLIDE}_to_GMH_S60.tif.h5", "w") as content:
        for i, place in enumerate(places):
            content[place] = batch.pixels[i % 256]
    return sum(map(len, encoded)) / len(encoded)


def consume(source, batch, rate):
    """(tiles/s, share of the time that was waited) of a consumer of ``rate`` tiles/s; None is at once."""
    waited, n_tiles, begun = 0.0, 0, time.perf_counter()
    before = begun
    for tiles in source.batches(SLIDE, batch):
        waited += time.perf_counter() - before
        n_tiles += len(tiles)
        if rate:
            time.sleep(len(tiles) / rate)
        before = time.perf_counter()
    whole = time.perf_counter() - begun
    return n_tiles / whole, waited / whole


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    datasets.disable_progress_bars()
    dataset = replace(PLISM, tiles_per_slide=options.tiles, n_tiles=options.tiles, tiles_sha256="")
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder), options.tiles)
        print(
            f"{options.tiles} tiles, batches of {options.batch}, {os.cpu_count()} cores, PNG files of {size:,.0f} bytes"
        )
        for name, source in (("tiles", LocalShards(dataset, Path(folder))), ("h5", H5Tiles(dataset, Path(folder)))):
            list(source.batches(SLIDE, options.batch))  # the first time imports
            fastest, _ = consume(source, options.batch, None)
            rate, share = consume(source, options.batch, options.rate)
            print(
                f"{name:5}  {fastest:7,.0f} tiles/s, {fastest / os.cpu_count():7,.0f} a core;"
                f" a model of {options.rate:,.0f} tiles/s gets {rate:,.0f} and waits {share:.1%} of the time"
            )


if __name__ == "__main__":
    main()
