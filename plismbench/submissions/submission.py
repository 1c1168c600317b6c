"""One result from a workspace to an archive, and from an archive to a workspace."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plismbench.dataset import Slide, dataset_named
from plismbench.embeddings.manifest import Manifest, read_manifest, write_manifest
from plismbench.errors import AlreadyExists, PlismbenchError, RejectedSubmission
from plismbench.results import Result, read_result, selection_name, write_result
from plismbench.submissions.archive import FILES, RESULT_FILES, read_archive, write_archive
from plismbench.submissions.run_checks import check_run
from plismbench.submissions.table_checks import check_tables
from plismbench.workspace import MANIFEST_FILE, RUN_FILE, Existing, Workspace

_MOST_ROWS = 1_000_000  # all of PLISM has 4,095 pairs of 46 cores


@dataclass(frozen=True)
class Submission:
    """A result and the manifest of the vectors that it was computed from."""

    result: Result
    manifest: Manifest


def pack(folder: Path, manifest: Path, archive: Path) -> None:
    """Writes the result in a folder, with its manifest, as an archive; it must pass what ``unpack`` checks.

    Raises:
        CorruptFile: if a file is missing or damaged.
        RejectedSubmission: if the result would be refused.
    """
    result = read_result(folder)
    _check(Submission(result, read_manifest(manifest)), result.run.signature)
    files = {name: (folder / name).read_bytes() for name in RESULT_FILES}
    write_archive(archive, files | {MANIFEST_FILE: manifest.read_bytes()}, result.run.signature)


def unpack(archive: Path) -> Submission:
    """What an archive holds, once everything about it was checked.

    Raises:
        RejectedSubmission: with the reason.
    """
    try:
        signature, files = read_archive(archive)
        with tempfile.TemporaryDirectory(prefix="submission-") as name:
            folder = Path(name)
            for file in FILES:
                (folder / file).write_bytes(files[file])
            _require_few_rows(folder)
            found = Submission(read_result(folder), read_manifest(folder / MANIFEST_FILE))
        _check(found, signature)
    except RecursionError as error:
        raise RejectedSubmission(f"{archive}: its JSON is nested too deep.") from error
    except PlismbenchError as error:
        raise RejectedSubmission(f"{archive}: {error.message}") from error
    return found


def add(submission: Submission, root: Path, existing: Existing) -> Path | None:
    """Writes a checked submission where its result belongs, and says where; None if one was kept.

    Raises:
        AlreadyExists: if there is a result, and ``existing`` is an error.
    """
    run = submission.result.run
    dataset = dataset_named(run.dataset)
    slides = [Slide.parse(name) for name in run.slides]
    selection = selection_name(dataset, slides, run.n_tiles, run.ks, run.protocol)
    folder = Workspace(root, run.dataset).results(run.name, selection)
    if (folder / RUN_FILE).exists():
        if existing is Existing.SKIP:
            return None
        if existing is Existing.ERROR:
            raise AlreadyExists(f"There is a result of '{run.name}' in {folder}.", hint="Add with --existing replace.")
    write_manifest(folder / MANIFEST_FILE, submission.manifest)
    write_result(folder, submission.result)
    return folder


def _check(submission: Submission, signature: str) -> None:
    check_run(submission.result.run, submission.manifest, signature)
    check_tables(submission.result)


def _require_few_rows(folder: Path) -> None:
    """Before anything is read: a few bytes of parquet can stand for any number of equal rows."""
    for file in RESULT_FILES:
        if file != RUN_FILE:
            try:
                n_rows = pl.scan_parquet(folder / file).select(pl.len()).collect().item()
            except pl.exceptions.PolarsError as error:
                raise RejectedSubmission(f"{file} cannot be read: {error}.") from error
            if n_rows > _MOST_ROWS:
                raise RejectedSubmission(f"{file} has {n_rows:,} rows.")
