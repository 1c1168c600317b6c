"""A word about results whose vectors, and vectors whose model, have changed since."""

import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress

from plismbench.cli.output import say
from plismbench.embeddings.manifest import read_manifest
from plismbench.errors import FingerprintMismatch, PlismbenchError
from plismbench.extractors import registry
from plismbench.extractors.spec import FILE
from plismbench.reporting.printing import printable
from plismbench.results.result import Result, is_outdated
from plismbench.workspace import MANIFEST_FILE, Workspace


def mind_outdated(
    results: Iterable[Result], workspace: Workspace, dataset: str, judged: Callable[[str], bool] = lambda _: False
) -> None:
    """Says which results are of other vectors than the model has now.

    Args:
        results: what is shown.
        workspace: where the vectors are.
        dataset: what ``--dataset`` is, for the command that evaluates them.
        judged: whether a gate judges the model of this name.

    Raises:
        FingerprintMismatch: if the gate would judge one of them.
    """
    for name in sorted({result.run.name for result in results if is_outdated(result.run, workspace)}):
        again = f"Run `plismbench evaluate --dataset {shlex.quote(dataset)} --model {shlex.quote(name)}`."
        words = f"The vectors of '{name}' are not those of its result any more."
        if judged(name):
            raise FingerprintMismatch(words, hint=again)
        say(f"{printable(words)} {printable(again)}")


def refuse_changed_files(models: Iterable[str], workspace: Workspace, dataset: str) -> None:
    """Refuses a model that is named by a file whose settings, code or weights are others than when it was extracted.

    One whose file or weights are gone, or whose weights are not on this machine, is taken by its name alone.

    Args:
        models: what ``--model`` was given.
        workspace: where the vectors are.
        dataset: what ``--dataset`` is, for the command that extracts them again.

    Raises:
        FingerprintMismatch: naming the model and the command.
    """
    for model in models:
        with suppress(PlismbenchError):
            if registry.name_of(model) == model:
                continue
            spec = registry.get(model)
            if spec.weights and not spec.weights.startswith(FILE):
                continue
            from plismbench.extractors.pinning import pinned  # with torch: only where it is needed

            manifest = read_manifest(workspace.embeddings(spec.name) / MANIFEST_FILE)
            if not manifest.origin and manifest.fingerprint != pinned(spec).fingerprint():
                break
    else:
        return
    again = f"plismbench extract --dataset {shlex.quote(dataset)} --model {shlex.quote(model)} --existing replace"
    raise FingerprintMismatch(
        f"The vectors of '{spec.name}' were made by other weights, settings or code than {model} has now.",
        hint=f"Run `{again}`, or say --model {shlex.quote(spec.name)} to go on with them.",
    )
