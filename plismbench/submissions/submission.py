"""One result from a workspace to an archive, and out of an archive again."""

import os
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from plismbench.embeddings.manifest import Manifest, manifest_text, read_manifest
from plismbench.errors import CorruptFile, PlismbenchError, RejectedSubmission
from plismbench.extractors.spec import ExtractorSpec
from plismbench.results.result import Result, read_result
from plismbench.submissions.archive import FILES, RESULT_FILES, read_archive, write_archive
from plismbench.submissions.namesakes import with_known_facts
from plismbench.submissions.run_checks import check_run
from plismbench.submissions.table_checks import check_tables
from plismbench.workspace import MANIFEST_FILE, RUN_FILE

_MOST_ROWS = 1_000_000  # all of PLISM has 4,095 pairs of 46 cores
_LONGEST_TEXT = 100  # bytes of a cell
_LONGEST_REASON = 500  # characters: what is wrong may be quoted in it


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
    submission = Submission(read_result(folder), read_manifest(manifest).portable)
    signature = submission.result.run.signature
    _check(submission, signature)
    files = {name: (folder / name).read_bytes() for name in RESULT_FILES}
    write_archive(archive, files | {MANIFEST_FILE: manifest_text(submission.manifest).encode()}, signature)


def unpack(archive: Path) -> Submission:
    """What an archive holds, once everything about it was checked.

    Raises:
        RejectedSubmission: with the reason.
    """
    try:
        signature, files = read_archive(archive)
        found = _read(files)
        _check(found, signature)
    except (PlismbenchError, RecursionError) as error:
        reason = error.message if isinstance(error, PlismbenchError) else "Its JSON is nested too deep."
        raise RejectedSubmission(
            f"{archive}: {textwrap.shorten(reason, _LONGEST_REASON)}",
            hint="Nothing was added. Ask for an archive as `plismbench submit pack` writes it.",
        ) from error
    spec = with_known_facts(ExtractorSpec(**found.result.run.extractor)).as_dict()
    run, manifest = replace(found.result.run, extractor=spec), replace(found.manifest, extractor=spec)
    return Submission(replace(found.result, run=run), manifest)


def _read(files: Mapping[str, bytes]) -> Submission:
    with tempfile.TemporaryDirectory(prefix="submission-") as name:
        folder = Path(name)
        for file in FILES:
            (folder / file).write_bytes(files[file])
        _require_small(folder)
        try:
            return Submission(read_result(folder), read_manifest(folder / MANIFEST_FILE))
        except CorruptFile as error:  # the folder is nobody's business
            raise RejectedSubmission(error.message.replace(f"{folder}{os.sep}", "")) from error


def _check(submission: Submission, signature: str) -> None:
    check_run(submission.result.run, submission.manifest, signature)
    check_tables(submission.result)


def _require_small(folder: Path) -> None:
    """Refuses huge tables before they are read: a few bytes of parquet can encode any number of equal rows or texts."""
    longest = pl.selectors.string().str.len_bytes().max()
    for file in RESULT_FILES:
        if file != RUN_FILE:
            table = pl.scan_parquet(folder / file)
            try:
                n_rows = table.select(pl.len()).collect().item()
                if n_rows > _MOST_ROWS:
                    raise RejectedSubmission(f"{file} has {n_rows:,} rows.")
                lengths = table.select(longest).collect()
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
                raise RejectedSubmission(f"{file} cannot be read: {error}.") from error
            if any(length > _LONGEST_TEXT for length in lengths.row(0) if length is not None):
                raise RejectedSubmission(f"{file} has a text of more than {_LONGEST_TEXT} bytes.")
