"""A result in the two files of plism-benchmark, for the notebooks and scripts that read those."""

import csv
import io
import math
from typing import Any

from plismbench.pairs import PairGroup
from plismbench.results.aggregation import top_k_metric
from plismbench.results.result import Result

METRICS_FILE = "metrics.csv"
RESULTS_FILE = "results.csv"

_GROUPS = {
    PairGroup.CROSS_SCANNER: "inter-scanner",
    PairGroup.CROSS_STAINING: "inter-staining",
    PairGroup.CROSS_BOTH: "inter-scanner, inter-staining",
    PairGroup.ALL: "all",
}


def metrics_csv(result: Result) -> str:
    """One line a pair, the columns of its ``metrics.csv``; every digit."""
    metrics = _metrics(result)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    of_slide = ("slide", "features_path", "staining", "scanner")
    writer.writerow([f"{name}_{side}" for side in "ab" for name in of_slide] + list(metrics.values()))
    rows: list[list[Any]] = [
        [value for side in "ab" for value in _slide(result, pair[f"staining_{side}"], pair[f"scanner_{side}"])]
        + [pair[metric] for metric in metrics]
        for pair in result.pairs.iter_rows(named=True)
    ]
    rows.sort(key=lambda row: (row[1], row[5]))  # by the two paths, as there
    writer.writerows(rows)
    return text.getvalue()


def results_csv(result: Result) -> str:
    """One line a pair group, ``mean (std) ; median (iqr)`` in each cell, as in its ``results.csv``."""
    metrics = _metrics(result)
    cells = {(row["group"], row["metric"]): row for row in result.summary.iter_rows(named=True)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["", *metrics.values()])
    for group, name in _GROUPS.items():
        if (str(group), "cosine") in cells:
            writer.writerow([name, *(_cell(cells[str(group), metric]) for metric in metrics)])
    return text.getvalue()


def _metrics(result: Result) -> dict[str, str]:
    return {"cosine": "cosine_similarity"} | {top_k_metric(k): f"top_{k}_accuracy" for k in result.run.ks}


def _slide(result: Result, staining: str, scanner: str) -> list[str]:
    slide_id = f"{staining}_{scanner}_to_GMH_S60.tif"
    return [slide_id, f"{result.run.name}/{slide_id}/features.npy", staining, scanner]


def _cell(row: dict[str, float | None]) -> str:
    mean, std, median, iqr = (math.nan if row[name] is None else row[name] for name in ("mean", "std", "median", "iqr"))
    return f"{mean:.3f} ({std:.3f}) ; {median:.3f} ({iqr:.3f})"
