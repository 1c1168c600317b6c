"""One evaluated extractor: its two tables, what made them, and their place on the disk."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from plismbench.aggregation import SUMMARY_SCHEMA, Schema, check_schema, pair_schema
from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile
from plismbench.metrics.retrieval import DEFAULT_KS
from plismbench.workspace import PAIRS_FILE, RUN_FILE, SUMMARY_FILE, storage_errors, write_text, writing

PROTOCOL = "plism-1"
"""Name of the definitions of all numbers; the numbers of a released protocol never change."""

RUN_SCHEMA = "plismbench.run/1"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What made a result: ``run.json``.

    Args:
        extractor: every field of the extractor's spec, as plain JSON.
        fingerprint: of the spec.
        dataset, revision: of the tiles.
        slides: names of the slides that were paired, sorted.
        all_slides: whether these are all slides of the data set.
        n_tiles, seed: the tile subset.
        ks: cut-offs of the retrieval accuracies.
        precision: of the forward pass.
        engine, device, versions, pairs_per_second: where and how it ran; not part of the signature.
    """

    extractor: dict[str, Any]
    fingerprint: str
    dataset: str
    revision: str
    slides: tuple[str, ...]
    all_slides: bool
    n_tiles: int
    seed: int
    ks: tuple[int, ...]
    precision: str
    engine: str
    device: str
    versions: dict[str, str] = field(default_factory=dict)
    pairs_per_second: float = 0.0
    protocol: str = PROTOCOL
    schema: str = RUN_SCHEMA

    @property
    def name(self) -> str:
        """Name of the extractor."""
        return str(self.extractor["name"])

    @property
    def signature(self) -> str:
        """One line; results are comparable if, and only if, their signatures are equal.

        For example ``plism@main|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|plism-1``.
        """
        count = str(len(self.slides)) if self.all_slides else f"{len(self.slides)}-{slides_digest(self.slides)}"
        return "|".join(
            (
                f"{self.dataset}@{self.revision}",
                f"slides:{count}",
                f"tiles:{self.n_tiles}",
                f"seed:{self.seed}",
                f"k:{','.join(map(str, self.ks))}",
                self.precision,
                self.protocol,
            )
        )


@dataclass(frozen=True)
class Result:
    """One extractor on one selection of slides and tiles.

    Args:
        run: what made it.
        pairs: one row a pair of slides, of ``pair_schema(run.ks)``.
        summary: one row a group and metric, of ``SUMMARY_SCHEMA``.
    """

    run: Run
    pairs: pl.DataFrame
    summary: pl.DataFrame


def slides_digest(slides: Sequence[str]) -> str:
    """Six hex digits that stand for a choice of slides."""
    return hashlib.sha256("\n".join(sorted(slides)).encode()).hexdigest()[:6]


def selection_name(dataset: RegisteredDataset, slides: Sequence[Slide], n_tiles: int, ks: Sequence[int]) -> str:
    """Folder of a selection: ``8139-tiles``, then the slides and cut-offs where they are not the usual ones."""
    name = f"{n_tiles}-tiles"
    if set(slides) != set(dataset.default_slides):
        name += f"-{len(slides)}-slides-{slides_digest([str(slide) for slide in slides])}"
    if set(ks) != set(DEFAULT_KS):
        name += f"-k-{'-'.join(map(str, sorted(ks)))}"
    return name


def write_result(folder: Path, result: Result) -> None:
    """Writes the three files, each whole or not at all; ``run.json`` last, as the mark of completeness."""
    with storage_errors(folder):
        (folder / RUN_FILE).unlink(missing_ok=True)
    for name, table, schema in (
        (PAIRS_FILE, result.pairs, pair_schema(result.run.ks)),
        (SUMMARY_FILE, result.summary, SUMMARY_SCHEMA),
    ):
        with writing(folder / name) as temporary:
            check_schema(table, schema, name).write_parquet(temporary)
    run = asdict(result.run) | {"signature": result.run.signature}
    write_text(folder / RUN_FILE, json.dumps(run, indent=2, sort_keys=True) + "\n")


def read_result(folder: Path) -> Result:
    """The result in a folder.

    Raises:
        CorruptFile: if a file is missing, damaged or of another version.
    """
    run_file = folder / RUN_FILE
    try:
        told = json.loads(run_file.read_text(encoding="utf-8"))
        if told["schema"] != RUN_SCHEMA:
            raise CorruptFile(
                f"{run_file} is {told['schema']}; this version reads {RUN_SCHEMA}.",
                hint="Run `plismbench evaluate` again.",
            )
        signature = told.pop("signature")
        run = Run(**told | {"slides": tuple(told["slides"]), "ks": tuple(told["ks"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFile(f"Cannot read {run_file}: {error}.", hint="Run `plismbench evaluate` again.") from error
    if run.signature != signature:
        raise CorruptFile(f"{run_file} says signature {signature}, its fields say {run.signature}.")
    return Result(
        run=run,
        pairs=_read_table(folder / PAIRS_FILE, pair_schema(run.ks)),
        summary=_read_table(folder / SUMMARY_FILE, SUMMARY_SCHEMA),
    )


def _read_table(path: Path, schema: Schema) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CorruptFile(f"Cannot read {path}: {error}.", hint="Run `plismbench evaluate` again.") from error
    return check_schema(table, schema, path)
