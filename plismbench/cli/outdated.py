"""A word about results whose vectors have changed since."""

import shlex
from collections.abc import Callable, Iterable

from plismbench.cli.output import say
from plismbench.errors import FingerprintMismatch
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
