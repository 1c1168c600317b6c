"""One evaluated extractor: its tables, what made them, and their place on the disk."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from plismbench.dataset import DATASETS, RegisteredDataset, Slide
from plismbench.errors import CorruptFile, DuplicateName
from plismbench.metrics.protocol import PROTOCOL
from plismbench.metrics.retrieval import DEFAULT_KS
from plismbench.records import read_record
from plismbench.results.aggregation import (
    AGAIN,
    SUMMARY_SCHEMA,
    Schema,
    check_schema,
    core_schema,
    pair_schema,
    summarise,
)
from plismbench.results.uncertainty import DRAWS_SCHEMA, INTERVAL_SCHEMA, bootstrap
from plismbench.storage import storage_errors, write_bytes, write_text
from plismbench.workspace import RUN_FILE, TABLE_FILES, Workspace

RUN_FORMAT = "plismbench.run/4"

_SUMMARY = SUMMARY_SCHEMA | INTERVAL_SCHEMA  # every statistic with the interval of its median


@dataclass(frozen=True, kw_only=True)
class Run:
    """What made a result: ``run.json``.

    Args:
        extractor: every field of the extractor's spec, as plain JSON.
        fingerprint: of the spec.
        dataset, revision: of the tiles.
        slides: names of the slides that were paired, sorted.
        n_tiles, seed: the tile subset.
        ks: cut-offs of the retrieval accuracies.
        vectors: digest of the vectors of each slide that were compared, see ``EmbeddingStore.contents``.
        tiles_commit: of each repository on the Hub that tiles were read from; of a data set of one's own, under
            its name, the digest of its files; see `with_distinct_signatures`.
        precision: of the forward pass.
        protocol: name of the definitions of the numbers.
        engine, device, hardware, versions, seconds, pairs_per_second: where and how it ran, and
            how long the slides were read and compared since it was last resumed, which is neither the
            start of the command nor the bootstrap; not part of the signature.
    """

    extractor: dict[str, Any]
    fingerprint: str
    dataset: str
    revision: str
    slides: tuple[str, ...]
    n_tiles: int
    seed: int
    ks: tuple[int, ...]
    precision: str
    vectors: dict[str, str] = field(default_factory=dict)
    tiles_commit: dict[str, str] = field(default_factory=dict)
    engine: str
    device: str
    hardware: dict[str, str | int | float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    pairs_per_second: float = 0.0
    protocol: str = PROTOCOL
    schema: str = RUN_FORMAT

    def __post_init__(self) -> None:
        _ = self.name  # without one it is none

    @property
    def shown_k(self) -> int:
        """The cut-off that pictures and comparisons are about: 10, or the largest."""
        return 10 if 10 in self.ks else max(self.ks)

    @property
    def name(self) -> str:
        """Name of the extractor."""
        return str(self.extractor["name"])

    @property
    def signature(self) -> str:
        """One line; results are comparable if, and only if, their signatures are equal.

        For example ``plism@main|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|plism-1``. Slides are named by a
        digest, but for all those of a built-in data set, whose names never change.
        """
        built_in = DATASETS.get(self.dataset)
        every = {str(slide) for slide in built_in.slides} if built_in else set()
        named = "" if set(self.slides) == every else f"-{slides_digest(self.slides)}"
        return "|".join(
            (
                f"{self.dataset}@{self.revision}",
                f"slides:{len(self.slides)}{named}",
                f"tiles:{self.n_tiles}",
                f"seed:{self.seed}",
                f"k:{','.join(map(str, self.ks))}",
                self.precision,
                self.protocol,
            )
        )

    @property
    def made_of(self) -> tuple[str, str, dict[str, str]]:
        """What decides every number: where it is equal, so are they."""
        return self.signature, self.fingerprint, self.vectors


@dataclass(frozen=True)
class Result:
    """One extractor on one selection of slides and tiles.

    Args:
        run: what made it.
        pairs: one row a pair of slides, of ``pair_schema(run.ks)``.
        summary: one row a group and metric, of ``SUMMARY_SCHEMA`` and ``INTERVAL_SCHEMA``.
        cores: one row a pair and core, of ``core_schema(run.ks)``.
        draws: one row a draw of the bootstrap, of ``DRAWS_SCHEMA``.
    """

    run: Run
    pairs: pl.DataFrame
    summary: pl.DataFrame
    cores: pl.DataFrame
    draws: pl.DataFrame


def is_finished(folder: Path, run: Run) -> bool:
    """Whether the result that a run would give is there, and whole; one of other vectors is not the same."""
    try:
        there = read_result(folder).run
    except CorruptFile:
        return False
    if there.made_of != run.made_of:
        return False
    return there.tiles_commit.items() <= run.tiles_commit.items()  # other tiles may give the same vectors


def with_distinct_signatures(results: Iterable[Result]) -> list[Result]:
    """The results; those of one signature but other tiles, as ``tiles_commit`` says, get signatures of their own.

    Where a revision such as ``main`` stood for more than one commit, it is called ``main:COMMIT``, with
    twelve digits. Two repositories that publish the same tiles do not contradict each other, nor do
    vectors that others made and that no commit is known of.
    """
    results = list(results)
    commits: dict[tuple[str, str], set[str]] = defaultdict(set)
    for result in results:
        for repo, commit in result.run.tiles_commit.items():
            commits[result.run.signature, repo].add(commit)
    return [_named_by_commit(result, commits) for result in results]


def _named_by_commit(result: Result, commits: Mapping[tuple[str, str], set[str]]) -> Result:
    run = result.run
    own = [commit[:12] for repo, commit in sorted(run.tiles_commit.items()) if len(commits[run.signature, repo]) > 1]
    return replace(result, run=replace(run, revision=":".join([run.revision, *own])))


def summary_and_draws(pairs: pl.DataFrame, cores: pl.DataFrame, ks: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The summary and the draws that follow from a pair table and its core table."""
    intervals, draws = bootstrap(pairs, cores, ks)
    return summarise(pairs, ks).join(intervals, on=["group", "metric"], maintain_order="left"), draws


def slides_digest(slides: Sequence[str]) -> str:
    """Digest of a choice of slides, six hex digits."""
    return hashlib.sha256("\n".join(sorted(slides)).encode()).hexdigest()[:6]


def selection_name(
    dataset: RegisteredDataset, slides: Sequence[Slide], n_tiles: int, ks: Sequence[int], protocol: str = PROTOCOL
) -> str:
    """Folder of a selection: ``8139-tiles``, then the slides, cut-offs and protocol that are not the usual ones."""
    name = f"{n_tiles}-tiles"
    if set(slides) != set(dataset.default_slides):
        name += f"-{len(slides)}-slides-{slides_digest([str(slide) for slide in slides])}"
    if set(ks) != set(DEFAULT_KS):
        name += f"-k-{'-'.join(map(str, sorted(ks)))}"
    if protocol != PROTOCOL:
        name += f"-{protocol}"
    return name


def begin_result(folder: Path) -> None:
    """Takes the mark of completeness from a result that is about to change."""
    with storage_errors(folder):
        (folder / RUN_FILE).unlink(missing_ok=True)


def write_result(folder: Path, result: Result) -> None:
    """Writes the files, each whole or not at all; ``run.json`` last, as the mark of completeness."""
    begin_result(folder)
    for name, schema in _schemas(result.run.ks).items():
        write_table(folder / TABLE_FILES[name], check_schema(getattr(result, name), schema, TABLE_FILES[name]))
    run = asdict(result.run) | {"signature": result.run.signature}
    write_text(folder / RUN_FILE, json.dumps(run, indent=2, sort_keys=True) + "\n")


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Writes a table as parquet, whole or not at all.

    Raises:
        StorageFailure: if it cannot be written.
    """
    content = BytesIO()  # of a full disk polars itself raises no OSError
    table.write_parquet(content)
    write_bytes(path, content.getvalue())


def read_result(folder: Path) -> Result:
    """The result in a folder.

    Raises:
        CorruptFile: if a file is missing, damaged or of another version.
    """
    run = read_record(folder / RUN_FILE, Run, RUN_FORMAT, hint=AGAIN)
    schemas = _schemas(run.ks)
    return Result(run, **{name: _read_table(folder / TABLE_FILES[name], schema) for name, schema in schemas.items()})


def read_results(workspace: Workspace) -> list[Result]:
    """Every whole result of a data set, by name; unlike states of the data are told apart.

    Raises:
        CorruptFile: if one is damaged.
        DuplicateName: if two are of one model under one signature, as a copied folder is.
    """
    found = [(folder, read_result(folder)) for folder in workspace.evaluated()]
    results = with_distinct_signatures(result for _, result in found)
    owners: dict[tuple[str, str], tuple[Path, Result]] = {}
    for (folder, _), result in zip(found, results, strict=True):
        run = result.run
        owner, first = owners.setdefault((run.name, run.signature), (folder, result))
        if owner != folder and not (run.vectors and run.made_of == first.run.made_of):
            raise DuplicateName(
                f"{owner} and {folder} are both results of '{run.name}' with signature {run.signature}.",
                hint="Move one of them elsewhere.",
            )
    return [result for _, result in owners.values()]  # of slides that became, or were, all of a data set, one of two


def _schemas(ks: Sequence[int]) -> dict[str, Schema]:
    return {"pairs": pair_schema(ks), "summary": _SUMMARY, "cores": core_schema(ks), "draws": DRAWS_SCHEMA}


def _read_table(path: Path, schema: Schema) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise CorruptFile(f"Cannot read {path}: {error}.", hint=AGAIN) from error
    return check_schema(table, schema, path)
