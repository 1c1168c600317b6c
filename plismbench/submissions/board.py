"""Checked submissions to a board: the results that are under one root already, one's own and others'."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plismbench.dataset import Slide, dataset_named
from plismbench.embeddings.manifest import write_manifest
from plismbench.errors import AlreadyExists, CorruptFile, DuplicateName
from plismbench.results.aggregation import PAIR
from plismbench.results.result import Result, Run, begin_result, read_result, selection_name, write_result
from plismbench.storage import folder_lock
from plismbench.submissions.submission import Submission
from plismbench.workspace import MANIFEST_FILE, RUN_FILE, Existing, Workspace


@dataclass(frozen=True, kw_only=True)
class Addition:
    """What became of a submission.

    Args:
        folder: where its result belongs.
        added: whether it was written; not where a result was there and is kept.
        other: fingerprint of another model on the board that has its name, in its place if that is taken; or empty.
        copies: other names on the board that have its vectors of a slide, or all numbers of its pairs.
    """

    folder: Path
    added: bool
    other: str
    copies: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    """What is compared of a result."""

    run: Run
    pairs: pl.DataFrame


def add(submissions: Sequence[Submission], root: Path, existing: Existing) -> list[Addition]:
    """Writes checked submissions where their results belong.

    Raises:
        AlreadyExists: if one has a place that is taken, or the name of another model, and ``existing`` is an error;
            then none is written.
        DuplicateName: if two have the same place, and ``existing`` is an error, or a name differs from another by
            the case of letters alone; then none is written.
    """
    folders = [_place(submission.result.run, root) for submission in submissions]
    board: dict[Path, _Known] = {}
    for dataset in sorted({submission.result.run.dataset for submission in submissions}):
        board |= _results_of(Workspace(root, dataset))
    _check_case([submission.result.run.name for submission in submissions], board)
    if existing is Existing.ERROR:
        _check_places(submissions, folders, board)
    additions = []
    for folder, submission in zip(folders, submissions, strict=True):
        known = _known(submission.result)
        added = not (existing is Existing.SKIP and (folder / RUN_FILE).exists())
        copies = sorted({other.run.name for other in board.values() if _is_copy(known, other)})
        other = _namesake(known.run, folder, board)
        if added:
            with folder_lock(folder):
                begin_result(folder)
                write_manifest(folder / MANIFEST_FILE, submission.manifest)
                write_result(folder, submission.result)
            board[folder] = known
        additions.append(Addition(folder=folder, added=added, other=other, copies=tuple(copies)))
    return additions


def _place(run: Run, root: Path) -> Path:
    slides = [Slide.parse(name) for name in run.slides]
    selection = selection_name(dataset_named(run.dataset), slides, run.n_tiles, run.ks, run.protocol)
    return Workspace(root, run.dataset).results(run.name, selection)


def _results_of(workspace: Workspace) -> dict[Path, _Known]:
    found = {}
    for folder in workspace.evaluated():
        with suppress(CorruptFile):  # of one's own: every command that shows it says so
            found[folder] = _known(read_result(folder))
    return found


def _known(result: Result) -> _Known:
    return _Known(result.run, result.pairs.sort(PAIR))


def _check_case(names: Sequence[str], board: Mapping[Path, _Known]) -> None:
    there: dict[str, str] = {}
    for name in (*(known.run.name for known in board.values()), *names):
        first = there.setdefault(name.casefold(), name)
        if first != name:
            raise DuplicateName(
                f"'{name}' and '{first}' differ by the case of letters alone.", hint="Ask for another name."
            )


def _check_places(submissions: Sequence[Submission], folders: Sequence[Path], board: Mapping[Path, _Known]) -> None:
    for number, (submission, folder) in enumerate(zip(submissions, folders, strict=True)):
        run = submission.result.run
        if folder in folders[:number]:
            raise DuplicateName(f"These archives hold a result of '{run.name}' twice.", hint="Name one archive of it.")
        if other := _namesake(run, folder, board):
            raise AlreadyExists(
                f"There is another model called '{run.name}' here: its fingerprint is {other}, and this one's is"
                f" {run.fingerprint}.",
                hint="Ask for another name; --existing replace gives the name, and the place, to this model.",
            )
        if (folder / RUN_FILE).exists():
            raise AlreadyExists(f"There is a result of '{run.name}' in {folder}.", hint="Add with --existing replace.")


def _namesake(run: Run, folder: Path, board: Mapping[Path, _Known]) -> str:
    """Fingerprint of another model that has the name of a run, in its place if that is taken; empty if none has it."""
    rivals = [board[folder]] if folder in board else board.values()
    prints = (known.run.fingerprint for known in rivals if known.run.name == run.name)
    return next((found for found in prints if found != run.fingerprint), "")


def _is_copy(known: _Known, other: _Known) -> bool:
    if known.run.name == other.run.name:
        return False
    return bool(known.run.vectors.items() & other.run.vectors.items()) or known.pairs.equals(other.pairs)
