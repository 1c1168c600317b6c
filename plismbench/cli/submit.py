"""``plismbench submit pack`` and ``plismbench submit add``."""

from pathlib import Path
from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import say, show
from plismbench.errors import InvalidInput, few_of, require_known
from plismbench.own_dataset import find_dataset
from plismbench.workspace import MANIFEST_FILE, Existing, Workspace, folder_name

EXAMPLES = "plismbench submit pack my-model\n\nplismbench submit add my-model.plismbench.zip"
PACK_EXAMPLES = "plismbench submit pack my-model\n\nplismbench submit pack small-pixels --dataset demo --output one.zip"
ADD_EXAMPLES = "plismbench submit add my-model.plismbench.zip\n\nplismbench submit add new.zip --existing replace"

submit = typer.Typer(
    help="Send a result to others as one small archive, or add theirs.", no_args_is_help=True, epilog=EXAMPLES
)


@submit.command(epilog=PACK_EXAMPLES)
def pack(
    model: Annotated[str, typer.Argument(help="Evaluated model.")],
    root: options.Root,
    dataset: options.Dataset = "plism",
    signature: options.Signature = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; MODEL.plismbench.zip here if left out.", dir_okay=False)
    ] = None,
) -> None:
    """Write one archive with everything that follows from the embeddings, and print its path."""
    from plismbench.cli.outdated import mind_outdated
    from plismbench.extractors.registry import name_of
    from plismbench.results.result import read_result
    from plismbench.submissions.archive import SUFFIX
    from plismbench.submissions.submission import pack as write

    registered = find_dataset(dataset)
    workspace = Workspace(root, registered.name)
    results = {folder: read_result(folder) for folder in workspace.evaluated()}
    names = {result.run.name for result in results.values()}
    name = name_of(model)
    require_known("result", [name], names, hint=options.evaluate_first(dataset))
    own = {result.run.signature: folder for folder, result in results.items() if result.run.name == name}
    if signature is None and len(own) > 1:
        raise InvalidInput(f"'{name}' has {len(own)} results.", hint=options.one_of_signatures(own))
    chosen = signature or next(iter(own))
    if chosen not in own:
        raise InvalidInput(f"No result of '{name}' has the signature '{chosen}'.", hint=options.one_of_signatures(own))
    folder = own[chosen]
    mind_outdated([results[folder]], workspace, registered, [model])
    beside = folder / MANIFEST_FILE  # of a result that was itself submitted
    manifest = beside if beside.exists() else workspace.embeddings(name) / MANIFEST_FILE
    path = output or Path(folder_name(name) + SUFFIX)
    write(folder, manifest, path)
    show(str(path))


@submit.command(epilog=ADD_EXAMPLES)
def add(
    archives: Annotated[list[Path], typer.Argument(help="Archives of `plismbench submit pack`.")],
    root: options.Root,
    existing: options.OnExisting = Existing.ERROR,
) -> None:
    """Check an archive, add its result to one's own, and print where it is."""
    from plismbench.submissions.board import add as put
    from plismbench.submissions.submission import unpack

    submissions = [unpack(archive) for archive in archives]  # all of them before any is added
    for archive, submission, done in zip(archives, submissions, put(submissions, root, existing), strict=True):
        run = submission.result.run
        if done.copies:
            say(
                f"{archive}: '{run.name}' has the vectors, or all numbers, of {few_of(done.copies)}: one of them was"
                " copied, unless all are the same weights."
            )
        if not done.added:
            whose = f", of another model ({done.other}, not {run.fingerprint})" if done.other else ""
            say(f"{archive}: there is a result of '{run.name}' already{whose}; kept it.")
            continue
        if done.other:
            say(f"{archive}: '{run.name}' is another model than before: {done.other} → {run.fingerprint}.")
        show(str(done.folder))
