"""What only a GPU can show, in one table: `make gpu-check`.

    python scripts/gpu_check.py [--device cuda]

Networks of the shapes of ViT-S, ViT-B and ViT-g with random weights: half precision against float32,
batches against one another, streams against waiting, memory that is too small, extraction against the
bare forward pass, decoding; of an evaluation ranks against the oracle, and the time of all 4,095 pairs
beside the reference's formulas. It needs this checkout, torch, timm, numpy, pyarrow, typer and rich, and
what those bring, and takes cupy if it is there; no network, no weights, nothing installed.

Exit codes: 0 all held, 1 something did not, 3 there is no CUDA device.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# It runs from a checkout that is not installed.
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "scripts")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from extraction import PngTiles, bare_speed, encode_tissue  # noqa: E402
from findings import Finding, agreement, at_least, show  # noqa: E402
from gpu_evaluation import check_pairs, check_ranks, check_search  # noqa: E402
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
    Shape("ViT-S", "vit_small_patch16_224", 65_536),
    Shape("ViT-B", "vit_base_patch16_224", 49_152, 0.95),
    Shape("ViT-g", "vit_giant_patch14_dinov2", 6_144, 0.95),
)
COSINE = {Precision.FP16: 0.9999, Precision.BF16: 0.998}
"""Least cosine of a half-precision vector with its float32 one."""


def build(shape: Shape, device: torch.device) -> Extractor:
    """A network with random weights, in float32."""
    import timm

    torch.manual_seed(0)
    with device:  # a processor takes a minute to draw the numbers of ViT-g
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
        Finding(f"{name}: bare forward pass, batches of {runner.batch_size}", f"{bare_median:,.0f} tiles/s"),
        Finding(f"{name}: extraction from PNG", f"{whole_median:,.0f} tiles/s"),
        at_least(f"{name}: extraction / bare", whole_median / bare_median, shape.least_share),
    ]


def check_decode(encoded: tuple[bytes, ...]) -> list[Finding]:
    """How many tiles a second the processor decodes on all its cores."""
    with ThreadPoolExecutor(n_cores()) as pool:
        begun = time.perf_counter()
        n_tiles = sum(1 for _ in range(4) for _ in pool.map(lambda png: decode_png(png, "tile"), encoded))
        speed = n_tiles / (time.perf_counter() - begun)
    return [Finding(f"PNG decoding on {n_cores()} cores", f"{speed:,.0f} tiles/s")]


def cuda_device(name: str) -> torch.device:
    """The device of that name with its number, which some functions of ``torch.cuda`` ask for."""
    return torch.device("cuda", checked_device(name).index or 0)


def check_shape(shape: Shape, device: torch.device, encoded: tuple[bytes, ...]) -> list[Finding]:
    """All that is asked of one network."""
    extractor = build(shape, device)
    return check_precision(extractor) + check_speed(extractor, shape, encoded)


def checks(device: torch.device) -> list[Callable[[], list[Finding]]]:
    """What is to do, the shortest first."""
    search, encoded = TorchEngine.on(device.type), encode_tissue(512)
    return [
        partial(check_decode, encoded),
        partial(check_ranks, search),
        partial(check_search, search),
        partial(check_memory, device),
        partial(check_pairs, search),
        *(partial(check_shape, shape, device, encoded) for shape in SHAPES),
    ]


def attempt(check: Callable[[], list[Finding]]) -> list[Finding]:
    """What a check finds; one that breaks takes no other with it, for such a machine is seldom at hand."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - its traceback is shown
        traceback.print_exc()
        return [Finding(f"{check.func.__name__} {check.args[0]}", f"{type(error).__name__}", "to end", held=False)]
    finally:
        torch.cuda.empty_cache()


def main() -> int:
    """Runs everything; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cuda:1")
    name = parser.parse_args().device
    if not torch.cuda.is_available():
        sys.stderr.write(f"gpu-check: torch {torch.__version__} finds no CUDA device; nothing was checked.\n")
        return 3
    begun, device = time.perf_counter(), cuda_device(name)
    torch.cuda.set_device(device)
    findings = []
    for check in checks(device):
        for finding in attempt(check):
            seconds = time.perf_counter() - begun
            sys.stderr.write(f"{seconds:4.0f} s  {finding.check}: {finding.found}\n")
            findings.append(finding)
    title = f"{device_title(device)}, torch {torch.__version__}, {n_cores()} cores: {seconds:.0f} s"
    show(title, findings)
    return 0 if all(one.held for one in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
