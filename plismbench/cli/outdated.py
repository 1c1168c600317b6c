"""A word about results whose vectors, and vectors whose model, have changed since."""

import shlex
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from plismbench.cli.output import say
from plismbench.dataset import Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import FingerprintMismatch, PlismbenchError
from plismbench.extractors import registry
from plismbench.extractors.spec import FILE
from plismbench.reporting.printing import printable
from plismbench.results.result import Result, is_outdated
from plismbench.workspace import Workspace


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


def refuse_changed_files(
    models: Iterable[str], workspace: Workspace, dataset: str, usual: Collection[Slide]
) -> None:  # fmt: skip
    """Refuses a model that is named by a file whose settings, code or weights are others than when it was extracted.

    One whose file or weights are gone is taken by its name alone, and so is one with weights that lie elsewhere, or
    one that a function of a Python file builds.

    Args:
        models: what ``--model`` was given.
        workspace: where the vectors are.
        dataset: what ``--dataset`` is, for the command that extracts them again.
        usual: the slides that it takes if none are named.

    Raises:
        FingerprintMismatch: naming the model and the command.
    """
    for model in models:
        store = _made_by_another(model, workspace)
        if store is None:
            continue
        name, slides = store.manifest.name, sorted(path.stem for path in store.folder.glob("*.parquet"))
        chosen = "" if set(slides) <= set(map(str, usual)) else f" --slides {','.join(slides)}"
        again = f"plismbench extract --dataset {shlex.quote(dataset)} --model {shlex.quote(model)}{chosen}"
        raise FingerprintMismatch(
            f"The vectors of '{name}' were made by other weights, settings or code than {model} has now.",
            hint=f"Run `{again} --existing replace`, or say --model {shlex.quote(name)} to go on with them.",
        )


def _made_by_another(model: str, workspace: Workspace) -> EmbeddingStore | None:
    """The store of the model that a file describes, if its vectors are known not to be those that it gives now."""
    with suppress(PlismbenchError):
        spec = registry.described(model)
        if spec is None or (spec.weights and not spec.weights.startswith(FILE)):
            return None
        from plismbench.extractors.pinning import pinned  # with torch: only where it is needed

        store = EmbeddingStore.open(workspace.embeddings(spec.name))
        if not store.manifest.origin and store.manifest.fingerprint != pinned(spec).fingerprint():
            return store
    return None
