"""Wall and processor time of the whole command `plismbench evaluate` on few tiles of all 91 slides.

    python benchmarks/small_slides.py [--tiles 460] [--dim 384]

Writes the store of ``benchmarks/memory.py`` with all slides to a temporary folder (1.1 GB of disk at
dim 384; all 16,278 tiles, as a store of PLISM has), evaluates it twice, and evaluates once more what is
evaluated already: what that takes is the start of the command, and what it needs to print the result.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import make_store

from plismbench.dataset import PLISM
from plismbench.workspace import RUN_FILE


def timed(command):
    """(wall, processor) seconds of a command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=460)
    parser.add_argument("--dim", type=int, default=384)
    options = parser.parse_args()
    print(f"91 slides, {options.tiles:,} tiles, dim {options.dim}; seconds")
    print(f"{'':20} {'wall':>6} {'processor':>10} {'comparing':>10} {'pairs/s':>8}")
    with tempfile.TemporaryDirectory() as root:
        name = make_store(Path(root), options.dim, len(PLISM.slides))
        command = [sys.executable, "-m", "plismbench", "evaluate", "--root", root, "--model", name,
                   "--n-tiles", str(options.tiles)]  # fmt: skip
        for title, existing in (("first", "skip"), ("again", "replace"), ("nothing to do", "skip")):
            wall, processor = timed([*command, "--existing", existing])
            (told,) = Path(root).rglob(RUN_FILE)
            run = json.loads(told.read_text(encoding="utf-8"))
            print(f"{title:20} {wall:6.1f} {processor:10.1f} {run['seconds']:10.1f} {run['pairs_per_second']:8.1f}",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
