"""What others published, as it stands in ``resources/published.json``, with its sources."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

PUBLISHED_SIGNATURE = "plism@published|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|owkin-fp16"
"""The published table: its cosines and norms were rounded to float16, so it has a protocol of its own."""


def published_rows() -> list[dict[str, Any]]:
    """Name, title, the four terms and the score of each model of plism-benchmark's README, in its order."""
    return list(_published()["leaderboard"]["rows"])


def published_statistics() -> list[dict[str, Any]]:
    """Table 3 of the H0-mini paper: ``name``, ``group``, ``metric``, ``median``, ``iqr``."""
    return list(_published()["table3"]["rows"])


PUBLISHED_DEVICE = "one T4 (H0-mini paper, Table 2)"
"""What published times were measured on."""


def published_times() -> dict[str, float]:
    """Time a tile by name of the model, relative to H0-mini: Table 2 of the H0-mini paper, on one T4."""
    return {row["name"]: row["relative_time"] for row in _published()["inference_time"]["rows"]}


def published_names() -> set[str]:
    """Models of which there is a published PLISM result; their specs pool and see tiles as it did."""
    return {row["name"] for table in ("leaderboard", "later") for row in _published()[table]["rows"]}


@cache
def _published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("plismbench") / "resources" / "published.json").read_text(encoding="utf-8")
    )
    return found
