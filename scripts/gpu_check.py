"""What only a GPU can show, in one table: `make gpu-check`.

    python scripts/gpu_check.py [--device cuda]

Networks of the shapes of ViT-S, ViT-B and ViT-g with random weights: half precision against float32,
batches against one another, streams against waiting, memory that is too small, extraction against the
bare forward pass, decoding, and search against the oracle. It needs this checkout, torch, timm, numpy,
pyarrow, typer and rich, and what those bring; no network, no weights, nothing installed.

Exit codes: 0 all held, 1 something did not, 3 there is no CUDA device.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # it runs from a checkout that is not installed

import numpy as np  # noqa: E402
import torch  # noqa: E402
from extraction import PngTiles, bare_speed, encode_tissue  # noqa: E402
from torch import nn  # noqa: E402

from plismbench.dataset import DEMO  # noqa: E402
from plismbench.embeddings.manifest import Manifest  # noqa: E402
from plismbench.embeddings.store import EmbeddingStore  # noqa: E402
from plismbench.extractors.devices import device_title  # noqa: E402
from plismbench.extractors.extractor import Extractor, checked_device  # noqa: E402
from plismbench.extractors.runner import Runner, make_runner, noise_tiles  # noqa: E402
from plismbench.extractors.spec import ExtractorSpec, Precision  # noqa: E402
from plismbench.machine import n_cores  # noqa: E402
from plismbench.pipeline import Pipeline, Task  # noqa: E402
from plismbench.search.exact import ExactEngine  # noqa: E402
from plismbench.search.torch_matmul import TorchEngine  # noqa: E402
from plismbench.tiles.png import decode_png  # noqa: E402


@dataclass(frozen=True)
class Shape:
    """A network to check: timm's name of it, tiles to time, and the share of the bare speed that is asked."""

    title: str
    architecture: str
    n_tiles: int
    least_share: float = 0.0


SHAPES = (
    Shape("ViT-S", "vit_small_patch16_224", 16_384),
    Shape("ViT-B", "vit_base_patch16_224", 8_192, 0.95),
    Shape("ViT-g", "vit_giant_patch14_dinov2", 2_048, 0.95),
)
COSINE = {Precision.FP16: 0.9999, Precision.BF16: 0.998}
"""Least cosine of a half-precision vector with its float32 one."""


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    check: str
    found: str
    asked: str
    held: bool


def at_least(check: str, found: float, least: float) -> Finding:
    """A number with a lower bound; 0 is no bound."""
    return Finding(check, f"{found:.5g}", f"≥ {least:g}" if least else "", found >= least)


def build(shape: Shape, device: torch.device) -> Extractor:
    """A network with random weights, in float32."""
    import timm

    torch.manual_seed(0)
    module = timm.create_model(shape.architecture, pretrained=False, num_classes=0, img_size=224).eval()
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
            found = least_cosine(Runner(half, size).send(tiles).land().vectors, vectors)
            findings.append(at_least(f"{name}: {precision}, batches of {size} with 64 at once", found, least))
    runner = Runner(extractor, 16)
    flights = [runner.send(tiles[start : start + 16]) for start in range(0, 64, 16)]  # all under way at once
    streamed = np.concatenate([flight.land().vectors for flight in flights])
    waited = np.concatenate([extractor(tiles[start : start + 16]) for start in range(0, 64, 16)])
    same = bool((streamed == waited).all())
    findings.append(
        Finding(f"{name}: fp32 on streams, and waited for", "same bits" if same else "differ", "same", same)
    )
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
        vectors = runner.send(noise_tiles(20)).land().vectors
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
    held = len(vectors) == 20 and 1 <= runner.batch_size <= 4
    return [Finding("batch of 16 where 5 fit", f"stepped down to {runner.batch_size}", "≤ 4", held)]


def check_speed(extractor: Extractor, shape: Shape, encoded: tuple[bytes, ...]) -> list[Finding]:
    """Extraction, decoding and writing included, against the bare forward pass, both in fp16; in turns."""
    half = replace(extractor, precision=Precision.FP16)
    runner = make_runner(half, None)
    slides = DEMO.slides[:4]
    n_tiles = shape.n_tiles // len(slides)
    dataset = replace(DEMO, name="png", default_slides=slides, tiles_per_slide=n_tiles, n_tiles=n_tiles)
    bare, whole = [], []
    for _ in range(3):
        bare.append(bare_speed(half, runner.batch_size, shape.n_tiles)[0])
        with tempfile.TemporaryDirectory() as folder:
            manifest = Manifest(
                extractor=half.spec.as_dict(), fingerprint=half.spec.fingerprint(),
                dataset=dataset.name, revision=dataset.revision, precision="fp16",
            )  # fmt: skip
            store = EmbeddingStore.create(Path(folder), manifest)
            name = half.spec.name
            work = Pipeline(PngTiles(dataset, encoded), {name: runner}, {name: store}, 2, lambda _: None)
            begun = time.perf_counter()
            for _ in work(iter([Task(slide, (name,)) for slide in slides])):
                pass
            whole.append(shape.n_tiles / (time.perf_counter() - begun))
    bare_median, whole_median = float(np.median(bare)), float(np.median(whole))
    return [
        Finding(f"{name}: bare forward pass, batches of {runner.batch_size}", f"{bare_median:,.0f} tiles/s", "", True),
        Finding(f"{name}: extraction from PNG", f"{whole_median:,.0f} tiles/s", "", True),
        at_least(f"{name}: extraction / bare", whole_median / bare_median, shape.least_share),
    ]


def check_decode(encoded: tuple[bytes, ...]) -> list[Finding]:
    """How many tiles a second the processor decodes on all its cores."""
    with ThreadPoolExecutor(n_cores()) as pool:
        begun = time.perf_counter()
        n_tiles = sum(1 for _ in range(4) for _ in pool.map(lambda png: decode_png(png, "tile"), encoded))
        speed = n_tiles / (time.perf_counter() - begun)
    return [Finding(f"PNG decoding on {n_cores()} cores", f"{speed:,.0f} tiles/s", "", True)]


def check_search(device: str) -> list[Finding]:
    """The torch engine on the device against the oracle in float64."""
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((2_000, 768)).astype(np.float32) for _ in range(2))
    b = 0.7 * a + b
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    torch_engine, exact = TorchEngine.on(device), ExactEngine()
    placed, oracle = [[engine.place(x, 32) for x in (a, b)] for engine in (torch_engine, exact)]
    near, far = torch_engine.nearest(placed[0], 11), exact.nearest(oracle[0], 11)
    agree = float((near.rows == far.rows).mean())
    least = np.einsum("ij,ij->i", a, b, dtype=np.float64) - 1e-3
    found = torch_engine.reaching(*placed, least, least, 1e-5)
    expected = exact.reaching(*oracle, least, least, 0.0)
    doubt_a = np.bincount(found.unsure_a[:, 0], minlength=len(a))
    doubt_b = np.bincount(found.unsure_b[:, 1], minlength=len(b))
    bracketed = all(
        ((low <= wanted) & (wanted <= low + doubt)).all()
        for low, wanted, doubt in ((found.a, expected.a, doubt_a), (found.b, expected.b, doubt_b))
    )
    return [
        at_least("search: rows of the 11 nearest as the oracle's", agree, 0.9999),
        Finding("search: counts as the oracle's, but for unsure ones", "yes" if bracketed else "no", "yes", bracketed),
        Finding("search: unsure pairs of 8 million", str(int(doubt_a.sum() + doubt_b.sum())), "", True),
    ]


def show(title: str, findings: list[Finding]) -> None:
    """The table, on stdout."""
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "found", "asked", "", title=title, box=None, pad_edge=False)
    for one in findings:
        table.add_row(one.check, one.found, one.asked, "ok" if one.held else "FAILS")
    Console(width=110).print(table)


def main() -> int:
    """Runs everything; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cuda:1")
    name = parser.parse_args().device
    if not torch.cuda.is_available():
        sys.stderr.write(f"gpu-check: torch {torch.__version__} finds no CUDA device; nothing was checked.\n")
        return 3
    begun, device = time.perf_counter(), checked_device(name)
    encoded = encode_tissue(512)
    findings = [*check_decode(encoded), *check_search("cuda"), *check_memory(device)]
    for shape in SHAPES:
        extractor = build(shape, device)
        findings += [*check_precision(extractor), *check_speed(extractor, shape, encoded)]
        del extractor
        torch.cuda.empty_cache()
    seconds = time.perf_counter() - begun
    show(f"{device_title(device)}, torch {torch.__version__}, {n_cores()} cores: {seconds:.0f} s", findings)
    return 0 if all(one.held for one in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
