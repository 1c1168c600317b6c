"""Seconds a pair of slides: ours, naive FAISS on both slides together, and a dense float32 reference.

    python benchmarks/evaluation.py [--tiles 8139] [--dim 768] [--pairs 3]

Vectors are synthetic, with the structure that decides the cost: cores of similar tiles, a shift of
each slide, and noise that sets how many counterparts are found. All three ways compute the same
accuracies, which is checked, in one run on one machine, so their ratios mean something.
"""

import argparse
import resource
import time
from itertools import combinations

import faiss
import numpy as np

from plismbench.metrics.cosine import paired_cosine
from plismbench.metrics.retrieval import SearchedSlide, counterpart_ranks, own_neighbors
from plismbench.metrics.vectors import SlideVectors
from plismbench.search.engine import engine

K = 10
N_CORES = 46
# Noise of a slide, in units of the spread of tiles within a core, and what it stands for.
MODELS = {"cross-scanner of H0-mini": 1.0, "its cross-staining": 1.7, "its cross-both": 2.1, "fragile": 4.0}
SHIFT = 0.3
PAIRS_OF_PLISM = 4_095


def make_slides(n_slides, n_tiles, dim, noise, seed=0):
    """float16 vectors: core + tile + shift of the slide + noise of the slide."""
    random = np.random.default_rng(seed)
    rank = 48  # foundation models spread tissue over some dozens of directions, not over all
    basis = random.standard_normal((rank, dim)).astype(np.float32) / np.sqrt(rank)
    cores = 2 * random.standard_normal((N_CORES, rank)).astype(np.float32)
    tissue = cores[random.integers(0, N_CORES, n_tiles)] + random.standard_normal((n_tiles, rank), np.float32)
    slides = []
    for _ in range(n_slides):
        shift = SHIFT * random.standard_normal(rank).astype(np.float32)
        own = noise * random.standard_normal((n_tiles, rank), np.float32)
        slides.append(((tissue + shift + own) @ basis).astype(np.float16))
    return slides


def naive_faiss(a, b):
    """One search of both slides in both slides; hits by position-free counting of the K + 1 best."""
    both = np.concatenate([a.unit, b.unit])
    _, rows = faiss.knn(both, both, K + 1, metric=faiss.METRIC_INNER_PRODUCT)
    n = len(a)
    itself = np.arange(2 * n)[:, None]
    counterpart = (itself + n) % (2 * n)
    # Among the K + 1 best the tile itself is first; the counterpart is a hit if it is among the other K.
    return float(((rows == counterpart) & (rows != itself)).any(1).mean())


def dense_float32(a, b):
    """The reference's formula: the full similarity matrix, then a partition of every row."""
    both = np.concatenate([a.unit, b.unit])
    n = len(a)
    hits = 0
    for start in range(0, 2 * n, 1_024):  # blocks: the whole matrix takes 4 n² floats
        queries = np.arange(start, min(start + 1_024, 2 * n))
        similarity = both[queries] @ both.T
        similarity[np.arange(len(queries)), queries] = -np.inf
        best = np.argpartition(-similarity, K, axis=1)[:, :K]
        hits += (best == ((queries + n) % (2 * n))[:, None]).any(1).sum()
    return hits / (2 * n)


def ours(a, b):
    """As `plismbench evaluate` does it, within-slide neighbours at hand."""
    cosines = paired_cosine(a.vectors, b.vectors)
    return counterpart_ranks(a, b, cosines, K, engine("faiss")).accuracy(K)


def timed(function, *arguments):
    begun = time.perf_counter()
    outcome = function(*arguments)
    return time.perf_counter() - begun, outcome


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=8_139)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    print(f"{options.tiles} tiles, dim {options.dim}, top-{K}, {faiss.omp_get_max_threads()} threads")
    print(f"{'model':26} {'top-10':>7} {'within/slide':>13} {'ours/pair':>10} {'FAISS':>8} {'dense':>8}"
          f" {'FAISS/ours':>11} {'dense/ours':>11} {'4,095 pairs':>12}")  # fmt: skip
    for title, noise in MODELS.items():
        slides = [SlideVectors(vectors) for vectors in make_slides(3, options.tiles, options.dim, noise)]
        for slide in slides:
            _ = slide.unit
        within, searched = timed(
            lambda some=slides: [SearchedSlide(one, own_neighbors(one, K, engine("faiss"))) for one in some]
        )
        seconds = {"ours": [], "faiss": [], "dense": []}
        for a, b in list(combinations(range(3), 2))[: options.pairs]:
            took, accuracy = timed(ours, searched[a], searched[b])
            seconds["ours"].append(took)
            for name, function in (("faiss", naive_faiss), ("dense", dense_float32)):
                took, other = timed(function, slides[a], slides[b])
                seconds[name].append(took)
                assert abs(other - accuracy) < 1e-3, (name, other, accuracy)
        pair, naive, dense = (float(np.median(values)) for values in seconds.values())
        total = (PAIRS_OF_PLISM * pair + 91 * within / 3) / 60
        print(f"{title:26} {accuracy:7.3f} {within / 3:11.2f} s {pair:8.2f} s {naive:6.2f} s {dense:6.2f} s"
              f" {naive / pair:11.1f} {dense / pair:11.1f} {total:8.1f} min")  # fmt: skip
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
