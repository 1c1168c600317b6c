"""What only a GPU can show of an evaluation; part of `make gpu-check`."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from itertools import combinations
from multiprocessing import get_context

import numpy as np
import oracle
from evaluation import MODELS, K, make_slides, ours, reference, searched_slides, timed
from findings import Finding, agreement, at_least, at_most
from torch.profiler import ProfilerActivity, profile
from vectors import PAIRS, placed

from plismbench.execution.threads import ThreadMap
from plismbench.machine import n_cpus
from plismbench.metrics.retrieval import counterpart_ranks, searched_slide
from plismbench.search.engine import AUTO, Engine, engine, engine_for
from plismbench.search.exact import ExactEngine
from plismbench.search.vectors import SlideVectors, principal_axes

N_SLIDES, N_TILES, DIM = 91, 8_139, 768
SECONDS = 15.0
"""What all pairs may take at most, on an H200."""
ENGINES = (("torch", "cuda"), ("faiss", "cuda"), ("faiss", "cpu"))
"""Engines and devices that are compared."""


def ranks(a, b, limit, search):
    """Ranks of all counterparts, as an evaluation finds them."""
    slides = [searched_slide(SlideVectors(np.asarray(stored, np.float16)), None, limit, search) for stored in (a, b)]
    matched = search.paired(*(slide.placed for slide in slides)).matched
    found = counterpart_ranks(*slides, matched, limit, search)
    return found.a, found.b


def check_ranks(search: Engine) -> list[Finding]:
    """Ranks against those of the tests' oracle: ties, duplicates, zeros, norms that float16 does not hold."""
    findings = []
    for name, pair in PAIRS.items():
        a, b = pair()
        expected = oracle.ranks(a, b)
        same = all(
            np.array_equal(found, np.minimum(wanted, limit))
            for limit in (1, 10, 59)
            for found, wanted in zip(ranks(a, b, limit, search), expected, strict=True)
        )
        findings.append(agreement(f"ranks of a {name.replace('_', ' ')} as the oracle's", same))
    return findings


def check_search(search: Engine, n_tiles: int = 3_000, dim: int = DIM) -> list[Finding]:
    """Scores, neighbours, ranks and float64 products of larger slides against NumPy in float64."""
    a, b = (slide.stored for slide in make_slides(2, n_tiles, dim, 1.9, 1.0))
    exact = ExactEngine()
    near, far = (engine.nearest(placed(engine, a), K + 1) for engine in (search, exact))
    directions = oracle.unit(a)
    scores = np.einsum("id,ikd->ik", directions[:500], directions[near.rows[:500]])
    error = float(np.abs(near.scores[:500] - scores).max())
    here, there = (engine.paired(placed(engine, a), placed(engine, b)) for engine in (search, exact))
    same = all(map(np.array_equal, ranks(a, b, K, search), ranks(a, b, K, exact)))
    return [
        at_most("search: largest error of a score, of what is allowed for", error / search.rounding(dim), 1.0),
        at_least("search: rows of the 11 nearest as NumPy's", float((near.rows == far.rows).mean()), 0.99),
        at_most("search: largest error of a cosine", float(np.abs(here.matched - there.matched).max()), 1e-14),
        agreement(f"search: all ranks of {n_tiles:,} tiles as NumPy's", same),
    ]


def check_pairs(
    search: Engine, n_slides: int = N_SLIDES, n_tiles: int = N_TILES, dim: int = DIM
) -> Iterator[Finding]:  # fmt: skip
    """Seconds for all pairs of a model, from vectors in memory: slides placed and searched, cosines, ranks."""
    for title in ("robust", "H0-mini, cross-staining"):
        slides = make_slides(n_slides, n_tiles, dim, MODELS[title][0], 1.0)
        ours(searched_slides(slides[:2], None, search), search)  # libraries load, kernels are chosen
        begun = time.perf_counter()
        with ThreadPoolExecutor(n_cpus()) as pool:
            searched = list(pool.map(lambda one: searched_slide(one, None, K, search), slides))
            placing = time.perf_counter() - begun
            found = list(pool.map(lambda pair: ours(pair, search), combinations(searched, 2)))
        seconds = time.perf_counter() - begun
        accuracy = np.mean([accuracy for _, accuracy in found])
        yield at_most(f"{len(found):,} pairs × {n_tiles:,} × {dim}, like {title}", seconds, SECONDS, " s")
        yield Finding("  of which its slides", f"{placing:.3g} s; top-{K} of the pairs {accuracy:.3f}")
    yield from check_reference(slides[:2], found[0], seconds / len(found))


def check_kernels(search: Engine, n_tiles: int = N_TILES, dim: int = DIM) -> list[Finding]:
    """Where the GPU's time of one pair goes: how long it works, of how long that takes, and at which kernels."""
    slides = searched_slides(make_slides(2, n_tiles, dim, MODELS["robust"][0], 1.0), None, search)
    ours(slides, search)
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        took, _ = timed(ours, slides, search)
    kernels = sorted(profiled.key_averages(), key=lambda one: one.self_device_time_total, reverse=True)
    worked = sum(one.self_device_time_total for one in kernels)
    title = f"a robust pair × {n_tiles:,} × {dim}, alone"
    return [
        Finding(title, f"{1000 * took:.3g} ms, of which {worked / 1000:.3g} ms on the GPU"),
        *(
            Finding(f"  {one.key[:60]}", f"{one.self_device_time_total / 1000:.3g} ms, {one.count} times")
            for one in kernels[:8]
        ),
    ]


def check_reference(slides, expected, seconds: float, numpy_like: str = "cupy") -> list[Finding]:
    """The reference's formulas on the same GPU, in float16 as it ships and in float32, against ours.

    Args:
        slides: two.
        expected: the cosine and accuracy that we found of them.
        seconds: that we took for a pair.
        numpy_like: the library that has NumPy's functions.
    """
    if find_spec(numpy_like) is None:
        return [Finding(f"the reference's formulas with {numpy_like}", f"{numpy_like} is not installed")]
    xp = __import__(numpy_like)
    findings = []
    for dtype, within in ((np.float16, None), (np.float32, 1e-3)):
        reference(*slides, xp, dtype)  # compiled and allocated
        trials = [timed(reference, *slides, xp, dtype) for _ in range(3)]
        took = statistics.median(took for took, _ in trials)
        if hasattr(xp, "get_default_memory_pool"):
            xp.get_default_memory_pool().free_all_blocks()
        what = f"the reference's formulas with {numpy_like} in {np.dtype(dtype)}"
        findings.append(Finding(what, f"{took:.3g} s a pair, {took / seconds:.3g} times ours"))
        if within is not None:
            error = max(abs(own - other) for own, other in zip(expected, trials[0][1], strict=True))
            findings.append(at_most("  its cosine and accuracy, off ours by", error, within))
    return findings


def check_engines(engines=ENGINES, n_slides: int = 4, n_tiles: int = N_TILES, dim: int = DIM) -> list[Finding]:
    """Whether the engines agree, and whether the one that `--engine auto` takes is the fastest."""
    if find_spec("faiss") is None:
        return [Finding("engines compared", "FAISS is not installed")]
    # A process of its own: where FAISS has no kernels for this GPU, it ends the one that asks.
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(compare_engines, engines, n_slides, n_tiles, dim).result()


def compare_engines(engines, n_slides: int, n_tiles: int, dim: int) -> list[Finding]:
    """Seconds of a slide and of a pair like H0-mini's, cross-both, with each engine."""
    slides = make_slides(n_slides, n_tiles, dim, MODELS["H0-mini, cross-both"][0], 1.0)
    axes, findings, pairs, seconds = principal_axes(slides[:2]), [], {}, {}
    for name, device in engines:
        search = engine(name, device)
        ours(searched_slides(slides[:2], axes, search), search)  # libraries load, kernels are chosen
        placing, searched = timed(searched_slides, slides, axes, search)
        both, threads = list(combinations(searched, 2)), ThreadMap(n_cpus(), n_cpus())
        took, pairs[name, device] = timed(list, threads.map(partial(ours, search=search), both))
        seconds[name, device] = took / len(both)
        found = f"{1000 * placing / n_slides:.3g} ms a slide, {1000 * seconds[name, device]:.3g} ms a pair"
        findings.append(Finding(f"{name} on {device}", found))
    first, *others = pairs.values()
    same = all(np.allclose(first, other, rtol=0, atol=1e-12) for other in others)
    chosen, fastest = engine_for(AUTO), min(seconds, key=seconds.__getitem__)[0]
    return [
        *findings,
        agreement("  the same cosines and accuracies", same),
        Finding("  the fastest for pairs is what auto takes", f"{fastest}; auto takes {chosen}", "", fastest == chosen),
    ]
