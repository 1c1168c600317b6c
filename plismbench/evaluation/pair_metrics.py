"""Two slides to one row of the pair table."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from plismbench.metrics.cosine import paired_cosines
from plismbench.metrics.owkin import owkin_numbers
from plismbench.metrics.protocol import OWKIN
from plismbench.metrics.retrieval import SearchedSlide, counterpart_ranks, top_k_accuracy
from plismbench.pairs import SlidePair
from plismbench.results.aggregation import PAIR, top_k_metric
from plismbench.search.engine import Engine
from plismbench.tissue import Tissue


@dataclass(frozen=True)
class PairMetrics:
    """What is computed of every pair.

    Args:
        ks: cut-offs.
        protocol: one of ``plismbench.metrics.protocol``.
        engine: what searches.
        tissue: the core of every tile.
    """

    ks: tuple[int, ...]
    protocol: str
    engine: Engine
    tissue: Tissue

    def __call__(self, task: tuple[SlidePair, SearchedSlide, SearchedSlide]) -> dict[str, object]:
        """One row of a part of the result: see ``plismbench.evaluation.partial_results``."""
        pair, a, b = task
        cosines = paired_cosines(a.moments, b.moments, self.engine.paired(a.placed, b.placed))
        if self.protocol == OWKIN:
            numbers = owkin_numbers(a.vectors, b.vectors, self.ks)
            cosine, matched, hits = numbers.cosine, numbers.matched, numbers.hits
        else:
            ranks = counterpart_ranks(a, b, cosines.matched, max(self.ks), self.engine)
            cosine, matched = float(cosines.matched.mean()), cosines.matched
            hits = {k: ranks.hits(k) for k in self.ks}
        return {
            **dict(zip(PAIR, pair.codes, strict=True)),
            "group": str(pair.group),
            "cosine": cosine,
            **{top_k_metric(k): top_k_accuracy(hits[k]) for k in self.ks},
            "random_cosine": cosines.random,
            "cosine_lift": cosines.lift,
            "centred_cosine": float(cosines.centred.mean()),
            **self._of_cores(
                {"cosine": matched, "centred_cosine": cosines.centred, **{top_k_metric(k): hits[k] for k in self.ks}}
            ),
        }

    def _of_cores(self, of_tiles: dict[str, Any]) -> dict[str, object]:
        labels, n_cores = self.tissue.labels, len(self.tissue.names)
        columns: dict[str, object] = {
            "core_core": list(self.tissue.names),
            "core_tiles": np.bincount(labels, minlength=n_cores),
        }
        for metric, values in of_tiles.items():
            sums = np.bincount(labels, weights=values, minlength=n_cores)
            columns[f"core_{metric}"] = sums.astype(values.dtype)
        return columns
