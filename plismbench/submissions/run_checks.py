"""Whether what a submission says of how it was made is possible and consistent."""

import re
import reprlib

from plismbench.dataset import DATASETS, TileSubset, dataset_named
from plismbench.embeddings.manifest import Manifest
from plismbench.errors import PlismbenchError, RejectedSubmission, UnknownName
from plismbench.extractors.checkpoints.locations import COMMIT
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.metrics.protocol import PROTOCOLS
from plismbench.metrics.retrieval import check_cutoffs
from plismbench.results.result import Run
from plismbench.submissions.namesakes import check_name

_WORD = re.compile(r"[\w.+-]{1,100}", re.ASCII)  # no bar: a signature is split by them
_REPO = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
_LONGEST = 300
_MOST_PARAMETERS = 10**15
_SHOWN = ("title", "organisation", "license", "source")
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet that opens a CSV file computes what begins so


def check_run(run: Run, manifest: Manifest, signature: str) -> None:
    """Checks everything about a run.

    Raises:
        RejectedSubmission: with the first reason why not.
    """
    if run.signature != signature:
        raise RejectedSubmission(f"It is sealed as {signature}, and its run is {run.signature}.")
    try:
        dataset = dataset_named(run.dataset)
    except UnknownName as error:  # whoever adds it has no description of its slides to check it by
        raise RejectedSubmission(
            f"It is of '{run.dataset}', someone's own slides; only results of {', '.join(DATASETS)} can be sent."
        ) from error
    known = sorted(map(str, dataset.slides))
    if len(run.slides) < 2 or list(run.slides) != sorted(set(run.slides)) or not set(run.slides) <= set(known):
        raise RejectedSubmission(f"Its slides are not a sorted choice of two or more of '{dataset.name}'.")
    if run.vectors and run.vectors.keys() != set(run.slides):
        raise RejectedSubmission("Its vectors are of other slides than it compares.")
    usual = TileSubset(dataset.n_tiles, dataset.tiles_per_slide)
    if run.seed != usual.seed:
        raise RejectedSubmission(f"Its tiles were drawn with seed {run.seed}, not {usual.seed}.")
    for name, value, words in (("precision", run.precision, tuple(Precision)), ("protocol", run.protocol, PROTOCOLS)):
        if value not in words:
            raise RejectedSubmission(f"Its {name} is {value!r}, not one of {', '.join(words)}.")
    if not _WORD.fullmatch(run.revision):
        raise RejectedSubmission(f"Its revision is {run.revision!r}.")
    for repo, commit in run.tiles_commit.items():
        if not (_REPO.fullmatch(repo) and COMMIT.fullmatch(commit)):
            raise RejectedSubmission(f"Its tiles are of commit {reprlib.repr(commit)} of {reprlib.repr(repo)}.")
    try:
        TileSubset(run.n_tiles, dataset.tiles_per_slide)
        if list(run.ks) != sorted(set(run.ks)):
            raise RejectedSubmission(f"Its cut-offs are {reprlib.repr(run.ks)}, not sorted.")
        check_cutoffs(run.ks, run.n_tiles)
    except PlismbenchError as error:
        raise RejectedSubmission(error.message) from error
    _check_extractor(run, manifest)


def _check_extractor(run: Run, manifest: Manifest) -> None:
    if manifest.origin:
        raise RejectedSubmission(
            "Imported vectors cannot be submitted: nothing shows which extractor made them.",
            hint="Extract and evaluate the model here, and pack that result.",
        )
    try:
        spec = ExtractorSpec(**run.extractor)
        fingerprint = spec.fingerprint()
    except (PlismbenchError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise RejectedSubmission(f"Its extractor is not valid: {error}") from error
    for name in _SHOWN:
        text = getattr(spec, name)
        if len(text) > _LONGEST:
            raise RejectedSubmission(f"Its {name} is longer than {_LONGEST} characters.")
        if not text.isprintable() or text.startswith(_FORMULA):
            raise RejectedSubmission(
                f"Its {name} begins with one of {' '.join(_FORMULA)}, or cannot be printed: {text!a}."
            )
    if not 0 <= (spec.n_params or 0) < _MOST_PARAMETERS:
        raise RejectedSubmission(f"Its number of parameters is {reprlib.repr(spec.n_params)}.")
    if fingerprint != run.fingerprint:
        raise RejectedSubmission("Its fingerprint is not that of its extractor.")
    check_name(spec)
    shared = {name: getattr(run, name) for name in ("extractor", "fingerprint", "dataset", "revision", "precision")}
    for name, value in shared.items():
        if getattr(manifest, name) != value:
            raise RejectedSubmission(f"Its manifest is of another {name} than its run.")
    if not run.tiles_commit.items() <= manifest.tiles_commit.items():
        raise RejectedSubmission("Its manifest has tiles of another commit than its run.")
