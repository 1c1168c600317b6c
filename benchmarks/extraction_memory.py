"""Resident memory of `plismbench extract` as slides go by: it must not grow with their number.

    python benchmarks/extraction_memory.py [--model mean-color] [--slides all]

Extracts the demo, all 91 slides unless told otherwise, into a temporary folder, and prints the most
resident memory that the system saw (Linux) while each seventh of the slides was written.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = 7


def resident_bytes(process):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS")), 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="mean-color")
    parser.add_argument("--slides", default="all")
    options = parser.parse_args()
    begun, seen = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as root:
        process = subprocess.Popen(
            [sys.executable, "-m", "plismbench", "extract", "--dataset", "demo", "--root", root, "--device", "cpu",
             "--model", options.model, "--slides", options.slides],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while process.poll() is None:
            seen.append((sum(1 for _ in Path(root).glob("demo/embeddings/*/*.parquet")), resident_bytes(process)))
            time.sleep(0.1)
        assert process.returncode == 0
        n_slides = sum(1 for _ in Path(root).glob("demo/embeddings/*/*.parquet"))
    print(f"{n_slides} slides with {options.model}, {time.perf_counter() - begun:.0f} s; resident memory in GB")
    for part in range(PARTS):
        low, high = part * n_slides // PARTS, (part + 1) * n_slides // PARTS
        peak = max((size for written, size in seen if low <= written < high), default=0)
        print(f"slides {low + 1:3}-{high:3}: {peak / 1e9:6.3f}", flush=True)


if __name__ == "__main__":
    main()
