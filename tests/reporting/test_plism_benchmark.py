import csv
import dataclasses
import io
import re

import numpy as np
import polars as pl
import pytest
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.reporting.plism_benchmark import metrics_csv, results_csv

KS = (1, 3, 5, 10)
COLUMNS = ["cosine_similarity", "top_1_accuracy", "top_3_accuracy", "top_5_accuracy", "top_10_accuracy"]


@pytest.fixture(scope="module")
def result():
    return make_result(ks=KS)


def test_metrics_have_the_columns_and_every_digit_of_every_pair(result):
    assert "\r" not in metrics_csv(result) + results_csv(result)
    rows = list(csv.DictReader(io.StringIO(metrics_csv(result))))
    assert list(rows[0]) == [
        "slide_a", "features_path_a", "staining_a", "scanner_a", "slide_b", "features_path_b", "staining_b",
        "scanner_b", *COLUMNS,
    ]  # fmt: skip
    assert len(rows) == len(result.pairs)
    assert rows == sorted(rows, key=lambda row: (row["features_path_a"], row["features_path_b"]))
    told = {(row["staining_a"], row["scanner_a"], row["staining_b"], row["scanner_b"]): row for row in rows}
    for pair in result.pairs.to_dicts():
        row = told[pair["staining_a"], pair["scanner_a"], pair["staining_b"], pair["scanner_b"]]
        assert row["slide_a"] == f"{pair['staining_a']}_{pair['scanner_a']}_to_GMH_S60.tif"
        assert row["features_path_b"] == f"toy/{row['slide_b']}/features.npy"
        assert float(row["cosine_similarity"]) == pair["cosine"]
        assert float(row["top_10_accuracy"]) == pair["top_10"]


def test_results_can_be_parsed_as_their_notebook_does(result):
    rows = list(csv.reader(io.StringIO(results_csv(result))))
    assert rows[0] == ["", *COLUMNS]
    assert [row[0] for row in rows[1:]] == ["inter-scanner", "inter-staining", "inter-scanner, inter-staining", "all"]
    pairs = result.pairs.to_dicts()
    values = np.array([pair["top_10"] for pair in pairs if pair["group"] == "cross-scanner"])
    mean_std, median_iqr = rows[1][-1].split(" ; ")
    expected = {"mean": values.mean(), "std": values.std(), "median": np.median(values),
                "iqr": np.quantile(values, 0.75) - np.quantile(values, 0.25)}  # fmt: skip
    parsed = [re.match(r"([0-9.]+)\s?\(([^)]+)\)", text) for text in (mean_std, median_iqr)]
    found = [float(part) for match in parsed for part in match.groups()]
    np.testing.assert_allclose(found, list(expected.values()), atol=5.01e-4)


def test_what_has_no_number_is_nan(result):
    nothing = result.summary.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("mean", "median"))
    (cell, *_) = csv.DictReader(io.StringIO(results_csv(dataclasses.replace(result, summary=nothing))))
    assert re.fullmatch(r"nan \(0\.\d{3}\) ; nan \(0\.\d{3}\)", cell["cosine_similarity"])


def test_groups_without_pairs_are_left_out():
    one = make_result(ks=KS, slides=(Slide("GM", "AT2"), Slide("GM", "P")))
    assert [line.split(",")[0] for line in results_csv(one).splitlines()[1:]] == ["inter-scanner", "all"]
