"""How much of the bare forward pass is left when tiles are decoded, pooled and written as well.

    python benchmarks/extraction.py [--model random-vit-s] [--device cpu] [--batch-size 32]
        [--tiles 128] [--slides 3] [--rounds 3]

Tiles of the section that ships with the package, as PNG files in memory, go through
`plismbench.extraction.extraction` into a store in a temporary folder: decoding, normalising, forward pass, pooling,
conversion, writing. The bare forward pass is the network alone on tensors that are on the device
already, in the same batches and precision.
Both run in turns, so that what else the machine does hits both: half of a round's bare tiles before
the whole ones and half after them; the ratio is the median over the rounds. Beside it stands the
ratio of processor time a tile, which other programs on a shared machine disturb less, and which says
what the steps around the network cost, but not whether one waits; and, of the same seconds as the whole,
the share that the forward passes took, which no drift between two measurements blurs: on a CPU the rest is
what they were waited for, and in them is what it takes to prepare a batch, told as well. Start-up (the network
is built and moved) is shown apart.
"""

import argparse
import io
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from plismbench.dataset import DEMO, TILE_SIZE, RegisteredDataset
from plismbench.embeddings.efficiency import read_efficiency
from plismbench.execution.local import LocalExecutor
from plismbench.extraction.extraction import extract_together, plan_extraction
from plismbench.extractors import registry
from plismbench.extractors.inference.extractor import (
    default_batch_size,
    default_device,
    default_precision,
    load_extractor,
)
from plismbench.extractors.spec import Precision
from plismbench.machine import n_cpus
from plismbench.tiles.decoding import decode_png
from plismbench.tiles.source import TileBatch
from plismbench.tiles.thread_pool import in_order, threads
from plismbench.workspace import Existing, Workspace

STRIDE = 84
_AUTOCAST = {Precision.FP16: torch.float16, Precision.BF16: torch.bfloat16}


@dataclass(frozen=True)
class PngTiles:
    """The same PNG files for each slide, decoded anew, in threads as the sources of PLISM do."""

    dataset: RegisteredDataset
    encoded: tuple[bytes, ...]

    def batches(self, slide, size):
        """The PNG files of a slide, decoded."""
        n_tiles = self.dataset.tiles_per_slide
        pngs = (self.encoded[number % len(self.encoded)] for number in range(n_tiles))
        with threads(n_cpus()) as pool:
            tiles = in_order(pool, lambda png: decode_png(png, "tile"), pngs, ahead=size)
            for start in range(0, n_tiles, size):
                pixels = np.stack(list(islice(tiles, size)))
                rows = np.arange(start, start + len(pixels), dtype=np.int32)
                yield TileBatch(slide, np.stack([rows // 128, rows % 128], axis=1), pixels)


def encode_tissue(count):
    """PNG files of overlapping tiles of the section that ships with the package; over again after the last."""
    with (files("plismbench") / "resources" / "demo_tissue.jpg").open("rb") as stream:
        section = np.asarray(Image.open(stream))
    rows, columns = ((side - TILE_SIZE) // STRIDE + 1 for side in section.shape[:2])
    encoded = []
    for number in range(min(count, rows * columns)):
        top, left = STRIDE * (number // columns), STRIDE * (number % columns)
        stream = io.BytesIO()
        Image.fromarray(section[top : top + TILE_SIZE, left : left + TILE_SIZE]).save(stream, "PNG")
        encoded.append(stream.getvalue())
    return tuple(encoded)


def bare_speed(extractor, batch_size, n_tiles):
    """Tiles a second of the network alone, on a batch that is there, and processor seconds a tile.

    One pass before does not count.
    """
    side, device = extractor.spec.image_size, extractor.device
    batch = torch.randn(batch_size, 3, side, side, device=device)
    half = _AUTOCAST.get(extractor.precision)

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with torch.inference_mode(), torch.autocast(device.type, dtype=half, enabled=half is not None):
        extractor.module(batch)
        wait()
        begun, worked = time.perf_counter(), time.process_time()
        passes = -(-n_tiles // batch_size)
        for _ in range(passes):
            extractor.module(batch)
        wait()
    n_tiles = passes * batch_size
    return n_tiles / (time.perf_counter() - begun), (time.process_time() - worked) / n_tiles


def whole_speed(plan):
    """From the first tile asked for to the last slide written.

    Tiles a second; processor seconds a tile; start-up in seconds; the share of the forward passes.
    """
    begun, worked = time.perf_counter(), time.process_time()
    started = []

    class Started(LocalExecutor):
        def run(self, start, items):
            work = start("")
            started.extend((time.perf_counter() - begun, time.process_time() - worked))
            return LocalExecutor().run(lambda _: work, items)

    list(extract_together([plan], Started()))
    cost = read_efficiency(plan.store.folder)
    processor_seconds = (time.process_time() - worked - started[1]) / cost.n_tiles
    return cost.n_tiles / cost.wall_seconds, processor_seconds, started[0], cost.forward_seconds / cost.wall_seconds


def prepared(extractor, batch_size):
    """Seconds to normalise and resize a tile, in batches, on the CPU."""
    pixels = torch.zeros(batch_size, TILE_SIZE, TILE_SIZE, 3, dtype=torch.uint8, device=extractor.device)
    trials = []
    for _ in range(9):
        begun = time.perf_counter()
        extractor.prepare(pixels)
        trials.append(time.perf_counter() - begun)
    return statistics.median(trials) / batch_size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="random-vit-s")
    parser.add_argument("--device", default=default_device())
    parser.add_argument("--precision", type=Precision)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--tiles", type=int, default=128, help="a slide")
    parser.add_argument("--slides", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    spec = registry.get(options.model)
    precision = options.precision or default_precision(spec, options.device)
    batch_size = options.batch_size or default_batch_size(options.device)
    slides = DEMO.slides[: options.slides]
    dataset = replace(DEMO, name="png", default_slides=slides, tiles_per_slide=options.tiles, n_tiles=options.tiles)
    source = PngTiles(dataset, encode_tissue(options.tiles))
    kilobytes = statistics.mean(map(len, source.encoded)) / 1000
    begun = time.perf_counter()
    for png in source.encoded:
        decode_png(png, "tile")
    decode = (time.perf_counter() - begun) / len(source.encoded)
    extractor = load_extractor(spec, options.device, precision)
    n_tiles = options.tiles * options.slides
    bare, whole, shares = [], [], []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as root:
            plan = plan_extraction(
                spec, source, slides, Workspace(Path(root), dataset.name),
                device=options.device, precision=precision, batch_size=batch_size, existing=Existing.ERROR,
            )  # fmt: skip
            bare.append(bare_speed(extractor, batch_size, n_tiles // 2))
            whole.append(whole_speed(plan))
            bare.append(bare_speed(extractor, batch_size, n_tiles // 2))
        before, after = bare[-2][0], bare[-1][0]
        shares.append(whole[-1][0] / statistics.harmonic_mean((before, after)))
        print(f"round {number + 1}: bare {before:,.1f} and {after:,.1f}, whole {whole[-1][0]:,.1f} tiles/s,"
              f" whole / bare {shares[-1]:.3f}", flush=True)  # fmt: skip
    bare, bare_work = map(statistics.median, zip(*bare, strict=True))
    whole, whole_work, start_up, forward = map(statistics.median, zip(*whole, strict=True))
    print(f"{spec.name} on {options.device} in {precision}, batches of {batch_size}, {n_tiles} tiles a round,"
          f" {n_cpus()} cores; PNG of {kilobytes:.0f} kB, {1000 * decode:.1f} ms to decode on one core")  # fmt: skip
    print(f"bare {bare:,.1f} tiles/s, whole {whole:,.1f} tiles/s, whole / bare {statistics.median(shares):.3f};"
          f" start-up {start_up:.1f} s")  # fmt: skip
    if options.device == "cpu":
        print(f"of the whole, forward passes took {forward:.3f}; a tile is prepared in"
              f" {1000 * prepared(extractor, batch_size):.1f} ms of their {1000 * forward / whole:.1f} ms")  # fmt: skip
    print(f"processor time a tile: bare {1000 * bare_work:.1f} ms, whole {1000 * whole_work:.1f} ms,"
          f" bare / whole {bare_work / whole_work:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
