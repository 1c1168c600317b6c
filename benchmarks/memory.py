"""Peak memory of `plismbench evaluate` against its `--memory`, on slides that do not fit together.

    python benchmarks/memory.py [--slides 6] [--tiles 16278]

Writes stores of random vectors of dim 768 and 3,072 to a temporary folder (5 GB of disk at most), and
reads the peak of the resident memory of each evaluation from the system (Linux).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from plismbench.dataset import PLISM
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.extractors.spec import ExtractorSpec
from plismbench.workspace import Workspace

CASES = ((768, 0.2), (768, 0.5), (3_072, 0.7), (3_072, 1.0))


def make_store(root, dim, n_slides):
    spec = ExtractorSpec(name=f"random-{dim}", loader="none:none", dim=dim)
    manifest = Manifest(
        extractor=spec.as_dict(), fingerprint=spec.fingerprint(), dataset=PLISM.name, revision=PLISM.revision,
        precision="fp16",
    )  # fmt: skip
    store = EmbeddingStore.create(Workspace(root, PLISM.name).embeddings(spec.name), manifest)
    random = np.random.default_rng(0)
    n = PLISM.tiles_per_slide
    xy = 2 * np.stack([np.arange(n) // 128, np.arange(n) % 128], axis=1).astype(np.int32)  # over all cores
    spectrum = np.arange(1, dim + 1, dtype=np.float32) ** -0.5
    tissue = random.standard_normal((n, dim), np.float32)
    for slide in PLISM.slides[:n_slides]:
        vectors = (tissue + random.standard_normal((n, dim), np.float32)) * spectrum
        store.write(Embeddings(slide, xy, vectors.astype(np.float16)))
    return spec.name


def peak_bytes(process):
    """The largest resident memory that the system saw, asked until the process ends."""
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in lines)])
        time.sleep(0.05)
    return peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slides", type=int, default=6)
    parser.add_argument("--tiles", type=int, default=PLISM.tiles_per_slide)
    options = parser.parse_args()
    names = ",".join(map(str, PLISM.slides[: options.slides]))
    print(f"{options.slides} slides, {options.tiles:,} tiles; GB")
    print(f"{'dim':>6} {'--memory':>9} {'peak':>6} {'above':>6} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as root:
        for dim, memory in CASES:
            name = f"random-{dim}"
            if not (Path(root) / PLISM.name / "embeddings" / name).exists():
                make_store(Path(root), dim, options.slides)
            begun = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "plismbench", "evaluate", "--root", root, "--model", name, "--slides", names,
                 "--n-tiles", str(options.tiles), "--memory", str(memory), "--existing", "replace"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            peak = peak_bytes(process) / 1e9
            assert process.returncode == 0
            seconds = time.perf_counter() - begun
            print(f"{dim:6,} {memory:9.1f} {peak:6.2f} {peak - memory:6.2f} {seconds:8.0f}", flush=True)


if __name__ == "__main__":
    main()
