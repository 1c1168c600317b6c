"""``plismbench import`` and ``plismbench export``: to and from plism-benchmark."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import progress, say, show
from plismbench.errors import AlreadyExists, InvalidInput, MissingEmbeddings, require_known
from plismbench.extractors.spec import Precision
from plismbench.own_dataset import find_dataset
from plismbench.storage import write_text
from plismbench.workspace import Existing, Workspace, folder_name

if TYPE_CHECKING:
    from plismbench.results.result import Result

IMPORT_EXAMPLES = (
    "plismbench import --from features/h0_mini --model h0-mini\n\nplismbench evaluate --model h0-mini --n-tiles 8139"
)
EXPORT_EXAMPLES = "plismbench export --to metrics\n\nplismbench export --model h0-mini --to metrics"


def import_features(
    root: options.Root,
    source: Annotated[Path, typer.Option("--from", help="Folder with [MODEL/]SLIDE_ID/features.npy in it.")],
    model: Annotated[str, typer.Option(help="Name of the model; facts of a registered one are kept with it.")],
    dataset: options.Dataset = "plism",
    slides: options.Slides = None,
    stainings: options.Stainings = None,
    scanners: options.Scanners = None,
    excluded: options.ExcludedSlides = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the forward pass that made the vectors; part of the signature.")
    ] = Precision.FP16,
    existing: options.OnExisting = Existing.SKIP,
) -> None:
    """Take over vectors that plism-benchmark extracted, so that they can be evaluated here."""
    from plismbench.extraction.importing import plan_import

    registered = find_dataset(dataset)
    chosen = registered.select(*map(options.split_commas, (slides, stainings, scanners, excluded)))
    workspace = Workspace(root, registered.name)
    plan = plan_import(source, model, registered, chosen, workspace, precision=precision, existing=existing)
    if plan.skipped:
        say(f"{model}: {len(plan.skipped)} of {len(chosen)} slides are there already.")
    if not plan.files:
        say(f"{model}: nothing to do.")
        return
    with progress(model, len(plan.files), "slides") as advance:
        for _ in plan.run():
            advance(1)
    say(f"{model}: wrote {plan.store.folder}")


def export(
    root: options.Root,
    to: Annotated[Path, typer.Option(help="Folder to write N_tiles/MODEL/metrics.csv and results.csv to.")],
    model: options.Models = None,
    dataset: options.Dataset = "plism",
    signature: options.Signature = None,
    existing: options.OnExisting = Existing.ERROR,
) -> None:
    """Write results as plism-benchmark writes them, and print the paths."""
    from plismbench.cli.outdated import mind_outdated
    from plismbench.reporting.plism_benchmark import METRICS_FILE, RESULTS_FILE, metrics_csv, results_csv
    from plismbench.results.result import read_results

    registered = find_dataset(dataset)
    workspace = Workspace(root, registered.name)
    results = read_results(workspace)
    if not results:
        raise MissingEmbeddings(f"No results of '{dataset}' under {root}.", hint=options.evaluate_first(dataset))
    names = {result.run.name for result in results}
    wanted = options.model_names(model) or sorted(names)
    require_known("evaluated model", wanted, names)
    found: dict[Path, list[Result]] = defaultdict(list)
    for result in results:
        if result.run.name in wanted and signature in (None, result.run.signature):
            found[to / f"{result.run.n_tiles}_tiles" / folder_name(result.run.name)].append(result)
    if not found:
        known = dict.fromkeys(result.run.signature for result in results if result.run.name in wanted)
        raise InvalidInput(f"No result has the signature '{signature}'.", hint=options.one_of_signatures(known))
    shown = [result for several in found.values() for result in several]
    mind_outdated(shown, workspace, registered, options.split_commas(model))
    written: dict[Path, Result] = {}
    for folder, (result, *others) in found.items():
        if not others:
            written[folder] = result
            continue
        run, hint = result.run, options.one_of_signatures(each.run.signature for each in (result, *others))
        several = f"'{run.name}' has {1 + len(others)} results of {run.n_tiles:,} tiles, which would have one name."
        if model or not any(len(alone) == 1 for alone in found.values()):
            raise AlreadyExists(several, hint=hint)
        say(f"Left out: {several} {hint}")
    files = METRICS_FILE, RESULTS_FILE
    there = {folder: folder / name for folder in written for name in files if (folder / name).exists()}
    if there and existing is Existing.ERROR:
        raise AlreadyExists(f"{next(iter(there.values()))} is there already.", hint="Say --existing replace or skip.")
    for folder, result in written.items():
        if existing is Existing.SKIP and folder in there:  # as a whole: its files may be of another result
            say(f"Kept {folder} as it is.")
            continue
        for name, text in zip(files, (metrics_csv(result), results_csv(result)), strict=True):
            write_text(folder / name, text)
            show(str(folder / name))
