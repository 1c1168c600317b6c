"""Results with known numbers, without vectors."""

import numpy as np
import polars as pl

from plismbench.aggregation import pair_schema, summarise, top_k_metric
from plismbench.dataset import PLISM
from plismbench.extractors.spec import ExtractorSpec
from plismbench.pairs import slide_pairs
from plismbench.results import Result, Run


def make_result(name="toy", level=0.5, slides=PLISM.slides, ks=(1, 10), seed=0, **changes):
    """A model whose accuracies scatter around ``level``, harder where more differs."""
    random = np.random.default_rng(seed)
    rows = []
    for pair in slide_pairs(slides):
        harder = {"cross-scanner": 1.0, "cross-staining": 0.7, "cross-both": 0.5}[pair.group]
        row = {
            "staining_a": pair.a.staining,
            "scanner_a": pair.a.scanner,
            "staining_b": pair.b.staining,
            "scanner_b": pair.b.scanner,
            "group": str(pair.group),
            "cosine": float(np.clip(level + 0.2 + 0.05 * random.standard_normal(), -1, 1)),
        }
        hits = np.clip(level * harder + 0.1 * random.standard_normal(), 0, 1)
        rows.append(row | {top_k_metric(k): float(hits) * k / max(ks) for k in ks})
    pairs = pl.DataFrame(rows, schema=pair_schema(ks))
    spec = ExtractorSpec(name=name, title=name.title(), loader="a:b", dim=8, n_params=1_000_000, license="MIT")
    fields = {
        "extractor": spec.as_dict(),
        "fingerprint": spec.fingerprint(),
        "dataset": "plism",
        "revision": "main",
        "slides": tuple(sorted(map(str, slides))),
        "all_slides": set(slides) == set(PLISM.slides),
        "n_tiles": 8_139,
        "seed": 42,
        "ks": ks,
        "precision": "fp16",
        "engine": "faiss",
        "device": "cpu",
    }
    return Result(Run(**fields | changes), pairs, summarise(pairs, ks))
