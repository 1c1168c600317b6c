"""Results with known numbers, without vectors."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from plismbench.dataset import PLISM, Slide
from plismbench.extractors.spec import ExtractorSpec
from plismbench.pairs import slide_pairs
from plismbench.results.aggregation import PAIR, core_schema, pair_schema, summarise, top_k_metric
from plismbench.results.result import Result, Run
from plismbench.results.uncertainty import bootstrap

CORES = {"01_liver": 100, "02_lung": 40, "03_skin": 80, "04_colon": 120, "05_spleen": 60, "06_kidney": 50}

SLIDES = tuple(slide for slide in PLISM.slides if slide.staining in PLISM.stainings[:6] and slide.scanner != "SQ")
"""Six stainings times six scanners: 630 pairs, where all of PLISM would have 4,095."""


def make_tables(level=0.5, slides=SLIDES, ks=(1, 10), seed=0):
    """Pairs and cores of a model whose accuracies scatter around ``level``, harder where more differs."""
    random = np.random.default_rng(seed)
    tiles = np.array(list(CORES.values()))
    of_core = 0.05 * random.standard_normal(len(CORES))  # some tissue is harder, on every pair
    rows, cores = [], []
    for pair in slide_pairs(slides):
        names = dict(zip(PAIR, pair.codes, strict=True))
        harder = {"cross-scanner": 1.0, "cross-staining": 0.7, "cross-both": 0.5}[pair.group]
        cosines = np.clip(level + 0.2 + 0.05 * random.standard_normal() + of_core, -1, 1) * tiles
        rate = np.clip(level * harder + 0.1 * random.standard_normal() + of_core, 0, 1)
        hits = {top_k_metric(k): np.round(2 * tiles * rate * k / max(ks)).astype(int) for k in ks}
        cores += [
            names | {"core": core, "tiles": n, "cosine": cosines[i], "centred_cosine": 0.6 * cosines[i]}
            | {metric: int(counts[i]) for metric, counts in hits.items()}
            for i, (core, n) in enumerate(CORES.items())
        ]  # fmt: skip
        cosine = float(cosines.sum() / tiles.sum())
        rows.append(
            names | {"group": str(pair.group), "cosine": cosine, "random_cosine": 0.2}
            | {"cosine_lift": (cosine - 0.2) / 0.8, "centred_cosine": 0.6 * cosine}
            | {metric: float(counts.sum() / (2 * tiles.sum())) for metric, counts in hits.items()}
        )  # fmt: skip
    return pl.DataFrame(rows, schema=pair_schema(ks)), pl.DataFrame(cores, schema=core_schema(ks))


@cache
def _evaluated(level, slides, ks, seed):
    pairs, cores = make_tables(level, slides, ks, seed)
    intervals, draws = bootstrap(pairs, cores, ks)
    return pairs, cores, summarise(pairs, ks).join(intervals, on=["group", "metric"], maintain_order="left"), draws


def make_result(name="toy", level=0.5, slides=SLIDES, ks=(1, 10), seed=0, **changes):
    """A whole result of such tables."""
    pairs, cores, summary, draws = _evaluated(level, tuple(slides), ks, seed)
    spec = ExtractorSpec(name=name, title=name.title(), loader="a:b", dim=8, n_params=1_000_000, license="MIT")
    fields = {
        "extractor": spec.as_dict(),
        "fingerprint": spec.fingerprint(),
        "dataset": "plism",
        "revision": "main",
        "slides": tuple(sorted(map(str, slides))),
        "n_tiles": 8_139,
        "seed": 42,
        "ks": ks,
        "precision": "fp16",
        "engine": "faiss",
        "device": "cpu",
    }
    return Result(Run(**fields | changes), pairs, summary, cores, draws)


def named(name, level=0.5, n_params=1_000_000, trained=False):
    """A result of six slides, of a model with other facts."""
    slides = tuple(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P"))
    result = make_result("toy", level, slides)
    extractor = result.run.extractor | {"name": name, "n_params": n_params, "trained_on_plism": trained}
    return replace(result, run=replace(result.run, extractor=extractor))
