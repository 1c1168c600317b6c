"""Results that are not of what is here now: a word about them, and no gate."""

import shlex
from collections.abc import Collection, Iterable
from contextlib import suppress

from plismbench.cli.output import say
from plismbench.dataset import RegisteredDataset
from plismbench.embeddings.manifest import IMPORTED
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import CorruptFile, FingerprintMismatch, PlismbenchError
from plismbench.extractors import registry
from plismbench.extractors.spec import FILE
from plismbench.metrics.protocol import PROTOCOL
from plismbench.metrics.retrieval import DEFAULT_KS
from plismbench.reporting.printing import printable
from plismbench.results.currency import is_submitted, why_outdated
from plismbench.results.result import Result, Run
from plismbench.workspace import Workspace


def mind_outdated(
    results: Iterable[Result],
    workspace: Workspace,
    dataset: RegisteredDataset,
    models: Iterable[str] = (),
    judged: Collection[str] = (),
) -> None:
    """Says which results are not of what is here now; a submission does not claim to be.

    Args:
        results: what is shown.
        workspace: where the vectors are.
        dataset: as it is described now.
        models: what ``--model`` was given. One that is named by a file must be what that file says now; a file or
            weights that are gone, lie elsewhere, or are built by a function of a Python file say nothing.
        judged: names of models that a gate judges, or a baseline is to have.

    Raises:
        FingerprintMismatch: if a model's file has other settings, code or weights than its vectors, or its results
            where there are none; if a result that is judged is not of what is here now.
    """
    results = list(results)
    for model in models:
        _refuse_another(model, results, workspace, dataset)
    for run in (result.run for result in results):
        words = why_outdated(run, workspace, dataset)
        if not words or is_submitted(run, workspace, dataset):
            continue
        hint = f"Run `{_again(run, dataset)}`."
        if not set(run.slides) <= set(map(str, dataset.slides)):  # then it may go to another folder
            hint = f"{hint[:-1]}, or remove the old result from {workspace.results(run.name, '')}."
        if run.name in judged:
            raise FingerprintMismatch(words, hint=hint)
        say(f"{printable(words)} {printable(hint)}")


def _again(run: Run, dataset: RegisteredDataset) -> str:
    """The command that evaluates anew what a result is of."""
    command = ["plismbench", "evaluate", "--dataset", dataset.option, "--model", run.name]
    usual, known = (set(map(str, slides)) for slides in (dataset.default_slides, dataset.slides))
    if set(run.slides) != usual and set(run.slides) <= known:
        command += ["--slides", ",".join(run.slides)]
    if run.n_tiles != dataset.n_tiles:
        command += ["--n-tiles", str(run.n_tiles)]
    if run.ks != DEFAULT_KS:
        command += ["--ks", ",".join(map(str, run.ks))]
    if run.protocol != PROTOCOL:
        command += ["--protocol", run.protocol]
    return shlex.join(command)


def _refuse_another(model: str, results: Iterable[Result], workspace: Workspace, dataset: RegisteredDataset) -> None:
    """Raises FingerprintMismatch if a model's file gives others than the vectors, or else results, that are here."""
    now = _fingerprint_of(model)
    if now is None:
        return
    name = registry.name_of(model)
    made = {result.run.fingerprint: set(result.run.slides) for result in results if result.run.name == name}
    folder = workspace.embeddings(name)
    with suppress(CorruptFile):
        made = {EmbeddingStore.open(folder).manifest.fingerprint: {path.stem for path in folder.glob("*.parquet")}}
    others = [fingerprint for fingerprint in made if fingerprint != now and not fingerprint.startswith(IMPORTED)]
    if not others:
        return
    slides = set().union(*made.values()) & set(map(str, dataset.slides))
    chosen = "" if slides <= set(map(str, dataset.default_slides)) else f" --slides {','.join(sorted(slides))}"
    again = f"plismbench extract --dataset {shlex.quote(dataset.option)} --model {shlex.quote(model)}{chosen}"
    raise FingerprintMismatch(
        f"What is here of '{name}' was made by other weights, settings or code than {model} has now.",
        hint=f"Run `{again} --existing replace`, or say {shlex.quote(name)} in its place to go on with it.",
    )


def _fingerprint_of(model: str) -> str | None:
    """Of the model that a file describes, with the weights that it names on this machine; None if that is not known."""
    with suppress(PlismbenchError):
        spec = registry.described(model)
        if spec is not None and (not spec.weights or spec.weights.startswith(FILE)):
            from plismbench.extractors.pinning import pinned  # with torch: only where it is needed

            return pinned(spec).fingerprint()
    return None
