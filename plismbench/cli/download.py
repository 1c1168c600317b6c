"""``plismbench download``."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import progress, say, show
from plismbench.dataset import PLISM, Slide, dataset_named
from plismbench.errors import InvalidInput, Unavailable
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace

if TYPE_CHECKING:
    from plismbench.tiles.plism.download import Download
    from plismbench.tiles.plism.verification import Problem
    from plismbench.tiles.source import KeptTiles

EXAMPLES = "plismbench download --slides GMH_S60,HR_P\n\nplismbench download --verify"


def download(
    root: options.Root,
    layout: Annotated[
        Layout, typer.Option(help="tiles: parquet shards, 146 GB in all; h5: a file a slide, 225 GB in all.")
    ] = Layout.TILES,
    slides: options.Slides = None,
    stainings: options.Stainings = None,
    scanners: options.Scanners = None,
    excluded: options.ExcludedSlides = None,
    workers: Annotated[int, typer.Option(min=1, help="Files at a time.")] = 4,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be fetched.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check what is there, every byte, without a network.")
    ] = False,
) -> None:
    """Fetch PLISM, or some of its slides, and check it; what is there already is not fetched again."""
    from plismbench.embeddings.manifest import known_commits
    from plismbench.reporting.printing import size
    from plismbench.tiles.plism.download import plan_download
    from plismbench.tiles.plism.index import read_index
    from plismbench.tiles.plism.local import downloaded

    dataset = dataset_named(PLISM.name)
    chosen = dataset.select(*map(options.split_commas, (slides, stainings, scanners, excluded)))
    workspace = Workspace(root, dataset.name)
    if verify and read_index(workspace.tiles(layout, dataset.revision)) is None:
        raise Unavailable(f"Nothing of {layout.repo} is under {root}.", hint="Run `plismbench download` first.")
    if verify and dry_run:
        raise InvalidInput("--verify fetches nothing, so --dry-run has no meaning with it.")
    say(f"{layout.repo}: reading what is published and what is here …")
    plan = plan_download(dataset, layout, workspace, chosen, known_commits(workspace.extracted()))
    say(
        f"{len(chosen)} slides at commit {plan.index.commit[:12]}: {len(plan.files)} of {len(plan.index.files)} files,"
        f" {size(sum(file.size for file in plan.files))}; {len(plan.absent)} to fetch, {size(plan.n_bytes)}."
        f" Free in {root}: {size(plan.free)}."
    )
    if dry_run:
        show("".join(f"{missing}\t{file.path}\n" for file, missing in zip(plan.absent, plan.missing, strict=True)))
        return
    if not verify:
        with progress("fetch", plan.n_bytes, "bytes") as advance:
            plan.run(workers, advance)
    problems = _problems(plan, downloaded(dataset, layout, workspace), chosen, every_byte=verify)
    if problems:
        asked = {"slides": slides, "stainings": stainings, "scanners": scanners, "exclude-slides": excluded}
        choice = [f"--{name}={','.join(options.split_commas(values))}" for name, values in asked.items() if values]
        again = shlex.join(["plismbench", "download", f"--root={root}", f"--layout={layout}", *choice])
        show("".join(f"{problem.name}\t{problem.what}\n" for problem in problems))
        raise Unavailable(
            f"{len(problems)} files or slides under {plan.folder} are not what was published.",
            hint=f"Fetch it again: `{again}`."
            if verify
            else "Every file has the checksum of the Hub, so the published data themselves are damaged.",
        )
    say(f"{len(chosen)} slides are complete.")
    show(str(plan.folder))


def _problems(plan: "Download", source: "KeptTiles", slides: tuple[Slide, ...], *, every_byte: bool) -> "list[Problem]":
    from plismbench.tiles.plism.verification import check_files, check_slides

    found: list[Problem] = []
    if every_byte:
        with progress("read files", sum(file.size for file in plan.files), "bytes") as advance:
            found += check_files(plan.folder, plan.files, advance)
    with progress("check tiles", len(slides), "slides") as advance:
        found += check_slides(source, slides, advance)
    return found
