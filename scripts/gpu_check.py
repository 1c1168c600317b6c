"""What only a GPU can show, in one table: `make gpu-check`.

    PYTHON=python3 make gpu-check

Networks of the shapes of ViT-S, ViT-B, ViT-L and ViT-g with random weights: half precision against float32,
batches against one another, streams against waiting, memory that is too small, extraction against the
bare forward pass, with tiles that are decoded already as well; decoding; of an evaluation ranks against the
oracle, and the time of all 4,095 pairs, kernel by kernel, beside the reference's formulas. It takes the first
GPU that CUDA_VISIBLE_DEVICES leaves. It needs this checkout, which nothing has to install: `make` says where its
modules are; torch, timm, numpy, pyarrow, h5py, imagecodecs, typer and rich with what those bring; and takes cupy and
FAISS where they are there. No network, no weights.

Exit codes: 0 all held, 1 something did not, 3 there is no CUDA device.
"""

import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from extraction import PngTiles, bare_speed, encode_tissue
from findings import Finding, agreement, at_least, at_most, show
from gpu_evaluation import check_engines, check_kernels, check_pairs, check_ranks, check_search
from torch import nn

from plismbench.dataset import DEMO, RegisteredDataset
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.store import EmbeddingStore
from plismbench.extraction.pipeline import Pipeline, Task
from plismbench.extractors.inference.devices import device_title
from plismbench.extractors.inference.extractor import Extractor
from plismbench.extractors.inference.runner import Runner, make_runner, noise_tiles
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.machine import n_cpus
from plismbench.search.torch_matmul import TorchEngine
from plismbench.tiles.decoding import decode_png
from plismbench.tiles.source import TileBatch


@dataclass(frozen=True)
class Shape:
    """A network to check: timm's name of it and arguments, what to time, and the share of the bare speed asked."""

    title: str
    architecture: str
    n_slides: int
    n_tiles: int  # a slide: whole batches of every size
    least_share: float = 0.0
    arguments: tuple[tuple[str, float], ...] = ()


# The first batch waits for its tiles and the last slide, of 8,192 x 768 numbers, .2 s for the disk: ten seconds are
# timed.
# A layer scale of 1e-5, that of ViT-g, would make the class token of a random network the same for every tile.
SHAPES = (
    Shape("ViT-S", "vit_small_patch16_224", 4, 8_192),
    Shape("ViT-B", "vit_base_patch16_224", 20, 8_192, 0.95),
    Shape("ViT-L", "vit_large_patch16_224", 8, 4_096, 0.95),
    Shape("ViT-g", "vit_giant_patch14_dinov2", 4, 2_048, 0.95, (("init_values", 1.0),)),
)
COSINE = {Precision.FP16: 0.9999, Precision.BF16: 0.998}
"""Least cosine of a half-precision vector with its float32 one."""
MOST_SECONDS = 480.0
DEVICE = torch.device("cuda", 0)  # with its number, which some functions of torch.cuda ask for


def build(shape: Shape, device: torch.device) -> Extractor:
    """A network with random weights, in float32."""
    import timm

    torch.manual_seed(0)
    with device:  # a processor takes a minute to draw the numbers of ViT-g
        module = timm.create_model(
            shape.architecture, pretrained=False, num_classes=0, img_size=224, **dict(shape.arguments)
        ).eval()
    spec = ExtractorSpec(name=shape.title, loader="timm:create_model", dim=int(module.num_features))
    return Extractor(spec, module.requires_grad_(False).to(device), device, Precision.FP32)


def least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest cosine of two vectors of one tile."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float((np.einsum("ij,ij->i", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def check_precision(extractor: Extractor) -> list[Finding]:
    """Half precision against float32, batch sizes against one another, streams against waiting."""
    tiles, name = noise_tiles(64), extractor.spec.name
    full = extractor(tiles)
    findings = []
    for precision, least in COSINE.items():
        half = replace(extractor, precision=precision)
        vectors = half(tiles)
        findings.append(at_least(f"{name}: least cosine of {precision} with fp32", least_cosine(vectors, full), least))
        for size in (1, 7, 64):
            found = least_cosine(Runner(half, size).submit(tiles).result().vectors, vectors)
            findings.append(at_least(f"{name}: {precision}, batches of {size} with 64 at once", found, least))
    runner = Runner(extractor, 16)
    futures = [runner.submit(tiles[start : start + 16]) for start in range(0, 64, 16)]  # all under way at once
    streamed = np.concatenate([future.result().vectors for future in futures])
    waited = np.concatenate([extractor(tiles[start : start + 16]) for start in range(0, 64, 16)])
    findings.append(agreement(f"{name}: fp32 on streams the same bits as waited for", bool((streamed == waited).all())))
    return findings


class Greedy(nn.Module):
    """Takes 1 GiB for each tile while it computes."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The mean colour."""
        room = image.new_zeros(len(image), 2**28)
        return image.mean((2, 3)) + room[:, :3]


def check_memory(device: torch.device) -> list[Finding]:
    """Too little memory halves the batch and loses nothing: 6 GiB may be used, a batch of 16 wants 16."""
    torch.cuda.set_per_process_memory_fraction(6 * 2**30 / torch.cuda.mem_get_info(device)[1], device)
    try:
        runner = Runner(
            Extractor(ExtractorSpec(name="greedy", loader="a:b", dim=3), Greedy(), device, Precision.FP32), 16
        )
        vectors = runner.submit(noise_tiles(20)).result().vectors
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
    held = len(vectors) == 20 and 1 <= runner.batch_size <= 4
    return [Finding("batch of 16 where 5 fit", f"stepped down to {runner.batch_size}", "≤ 4", held)]


@dataclass(frozen=True)
class ReadyTiles:
    """Tiles that are decoded already: what is lost with them is lost beside the decoding."""

    dataset: RegisteredDataset
    pixels: np.ndarray

    def batches(self, slide, size):
        """The tiles of a slide, copied."""
        n_tiles = self.dataset.tiles_per_slide
        for start in range(0, n_tiles, size):
            rows = np.arange(start, min(start + size, n_tiles), dtype=np.int32)
            yield TileBatch(slide, np.stack([rows // 128, rows % 128], axis=1), self.pixels[rows % len(self.pixels)])


def check_speed(extractor: Extractor, shape: Shape, encoded: tuple[bytes, ...]) -> list[Finding]:
    """Extraction, decoding and writing included, against the bare forward pass, both in fp16; in turns."""
    half, name = replace(extractor, precision=Precision.FP16), extractor.spec.name
    runner = make_runner(half, None)
    slides, n_tiles = DEMO.slides[: shape.n_slides], shape.n_tiles
    dataset = replace(DEMO, name="png", default_slides=slides, tiles_per_slide=n_tiles, n_tiles=n_tiles)
    png, ready = PngTiles(dataset, encoded), ReadyTiles(dataset, np.stack([decode_png(one, "tile") for one in encoded]))

    def bare() -> float:
        return bare_speed(half, runner.batch_size, len(slides) * n_tiles // 4)[0]

    trials = [bare()]
    for _ in range(2):
        trials += [extraction_speed(png, runner), extraction_speed(ready, runner), bare()]
    alone, from_png, from_ready = (float(np.median(trials[start::3])) for start in range(3))
    tiles, begun = noise_tiles(runner.batch_size), time.perf_counter()
    future, started = runner.submit(tiles), time.perf_counter()
    worked = future.result().seconds
    return [
        Finding(f"{name}: bare forward pass, batches of {runner.batch_size}", f"{alone:,.0f} tiles/s"),
        Finding("  a batch is started in", f"{started - begun:.3g} s of the {worked:.3g} s that the GPU takes"),
        Finding("  extraction of decoded tiles / bare", f"{from_ready / alone:.4g}"),
        Finding("  extraction from PNG", f"{from_png:,.0f} tiles/s"),
        at_least(f"{name}: extraction / bare", from_png / alone, shape.least_share),
    ]


def extraction_speed(source: PngTiles | ReadyTiles, runner: Runner) -> float:
    """Tiles a second from the first tile asked for to the last slide written."""
    dataset, spec = source.dataset, runner.extractor.spec
    with tempfile.TemporaryDirectory() as folder:
        manifest = Manifest(
            extractor=spec.as_dict(), fingerprint=spec.fingerprint(),
            dataset=dataset.name, revision=dataset.revision, precision="fp16",
        )  # fmt: skip
        store = EmbeddingStore.create(Path(folder), manifest)
        work = Pipeline(source, {spec.name: runner}, {spec.name: store}, 2)
        begun = time.perf_counter()
        for _ in work(iter([Task(slide, (spec.name,)) for slide in dataset.default_slides])):
            pass
        seconds = time.perf_counter() - begun
        return sum(len(store.read(slide).vectors) for slide in dataset.default_slides) / seconds


def check_decode(encoded: tuple[bytes, ...]) -> list[Finding]:
    """How many tiles a second the processor decodes on one core, and on all."""
    speeds = []
    for count in (1, n_cpus()):
        with ThreadPoolExecutor(count) as pool:
            begun = time.perf_counter()
            n_tiles = sum(1 for _ in range(1 if count == 1 else 4) for _ in pool.map(decode, encoded))
            speeds.append(n_tiles / (time.perf_counter() - begun))
    one, every = speeds
    return [
        Finding("PNG decoding on 1 core", f"{one:,.0f} tiles/s"),
        Finding(f"PNG decoding on {n_cpus()} cores", f"{every:,.0f} tiles/s, {every / one:.3g} times as many"),
    ]


def decode(encoded: bytes) -> np.ndarray:
    """The pixels of a tile."""
    return decode_png(encoded, "tile")


def check_shape(shape: Shape, device: torch.device, encoded: tuple[bytes, ...]) -> list[Finding]:
    """All that is asked of one network."""
    extractor = build(shape, device)
    return check_precision(extractor) + check_speed(extractor, shape, encoded)


def checks(device: torch.device) -> list[Callable[[], Iterable[Finding]]]:
    """What is to do, the shortest first, the profiler last."""
    search, encoded = TorchEngine.on(device.type), encode_tissue(512)
    return [
        partial(check_decode, encoded),
        partial(check_ranks, search),
        partial(check_search, search),
        partial(check_memory, device),
        partial(check_pairs, search),
        partial(check_engines),
        *(partial(check_shape, shape, device, encoded) for shape in SHAPES),
        partial(check_kernels, search),  # last: once used, the profiler goes on listening
    ]


def attempt(check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; one that breaks takes no other with it, for such a machine is seldom at hand."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - its traceback is shown
        traceback.print_exc()
        name = " ".join([check.func.__name__, *(one.title for one in check.args if hasattr(one, "title"))])
        yield Finding(name, type(error).__name__, "to end", held=False)
    finally:
        with suppress(RuntimeError):  # a GPU that has failed answers everything so, up to the table
            torch.cuda.empty_cache()


def main() -> int:
    """Runs everything; gives the exit code."""
    if not torch.cuda.is_available():
        sys.stderr.write(f"gpu-check: torch {torch.__version__} finds no CUDA device; nothing was checked.\n")
        return 3
    begun, findings = time.perf_counter(), []
    for check in checks(DEVICE):
        for finding in attempt(check):
            seconds = time.perf_counter() - begun
            sys.stderr.write(f"{seconds:4.0f} s  {finding.check}: {finding.found}\n")
            findings.append(finding)
    findings.append(at_most("all of this", time.perf_counter() - begun, MOST_SECONDS, " s"))
    show(f"{device_title(DEVICE)}, torch {torch.__version__}, {n_cpus()} cores", findings)
    return 0 if all(one.held for one in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
