"""Which published file has tiles of which slides: found once for a commit, then kept beside the files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile, PlismbenchError, Unavailable
from plismbench.hub import hub_errors
from plismbench.storage import write_text
from plismbench.tiles.ids import slide_name
from plismbench.tiles.plism.hub import PublishedFile, current_commit, list_published
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.shards import READERS, holders
from plismbench.tiles.thread_pool import threads
from plismbench.workspace import Workspace

INDEX_FILE = "index.json"
INDEX_FORMAT = "plismbench.index/1"


@dataclass(frozen=True)
class Index:
    """Every file of a layout at one commit.

    Args:
        layout: how the tiles are published.
        revision: what was asked for.
        commit: what it stood for.
        files: every file, by path.
    """

    layout: Layout
    revision: str
    commit: str
    files: tuple[PublishedFile, ...]
    schema: str = INDEX_FORMAT

    def needed(self, slides: Iterable[Slide]) -> tuple[PublishedFile, ...]:
        """The files that have tiles of some slides.

        Raises:
            Unavailable: if none has tiles of one of them.
        """
        wanted = {str(slide) for slide in slides}
        absent = wanted.difference(*(file.slides for file in self.files))
        if absent:
            raise Unavailable(f"{self.layout.repo} has no slide {min(absent)} at commit {self.commit[:12]}.")
        return tuple(file for file in self.files if wanted.intersection(file.slides))


def first_commit(dataset: RegisteredDataset, layout: Layout, workspace: Workspace, known: Mapping[str, str]) -> str:
    """The commit that everything in a workspace is read at; the Hub is asked the first time only.

    So what is pushed between two models changes the pixels of neither.

    Args:
        dataset: what is read.
        layout: whose repository it is.
        workspace: where it may have been downloaded to.
        known: commits of repositories, which earlier work took tiles of.

    Raises:
        AccessDenied, Unavailable: as the Hub answers.
        CorruptFile: if the index is damaged.
    """
    if layout.repo in known:
        return known[layout.repo]
    if index := read_index(workspace.tiles(layout, dataset.revision)):
        return index.commit
    with hub_errors(layout.repo, dataset.revision, kind="dataset"):
        return current_commit(layout.repo, dataset.revision)


def make_index(dataset: RegisteredDataset, layout: Layout, commit: str) -> Index:
    """Asks the Hub: for the names of all files at a commit, and for the footers of shards.

    Raises:
        AccessDenied, Unavailable: as the Hub answers.
        CorruptFile: if a shard is not what it should be.
    """
    with hub_errors(layout.repo, commit, kind="dataset"), threads(READERS) as readers:
        published = list_published(layout.repo, commit, layout.pattern)
        if layout is Layout.TILES:
            held = holders(published.files, published.addresses, dataset.slides, readers)
            slides = [tuple(map(str, held[address])) for address in published.addresses]
        else:
            names = [slide_name(PurePosixPath(file.path).name.removesuffix(".h5")) for file in published.listed]
            slides = [() if name is None else (name,) for name in names]
        files = tuple(replace(file, slides=has) for file, has in zip(published.listed, slides, strict=True))
    return Index(layout, dataset.revision, published.commit, files)


def write_index(folder: Path, index: Index) -> None:
    """Keeps an index, whole or not at all."""
    write_text(folder / INDEX_FILE, json.dumps(asdict(index), indent=1) + "\n")


def read_index(folder: Path) -> Index | None:
    """The index that is kept in a folder; None if there is none.

    Raises:
        CorruptFile: if it is damaged.
    """
    path = folder / INDEX_FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(PublishedFile(**file | {"slides": tuple(file["slides"])}) for file in fields.pop("files"))
        index = Index(Layout(fields.pop("layout")), files=files, **fields)
        if index.schema != INDEX_FORMAT:
            raise ValueError(f"it is {index.schema}, and this version reads {INDEX_FORMAT}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, PlismbenchError) as error:
        raise CorruptFile(
            f"Cannot read {path}: {error}.", hint="Remove it; the next download makes it again."
        ) from error
    return index
