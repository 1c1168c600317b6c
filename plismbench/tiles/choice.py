"""Where the tiles of some slides are read: drawn, on the disk, or on the Hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from plismbench.dataset import DEMO, RegisteredDataset, Slide
from plismbench.errors import InvalidInput, Unavailable
from plismbench.own_dataset import OwnDataset
from plismbench.tiles.digests import slide_digests
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.source import TilesAtHand, TileSource
from plismbench.workspace import Workspace

_Tiles = TypeVar("_Tiles", bound=TileSource, covariant=True)


class SourceKind(StrEnum):
    """Where to read PLISM: ``auto`` is local if every slide is there, and else streams; ``local`` is any layout."""

    AUTO = "auto"
    LOCAL = "local"
    TILES = "tiles"
    H5 = "h5"
    STREAM = "stream"


_LAYOUTS = {SourceKind.TILES: (Layout.TILES,), SourceKind.H5: (Layout.H5,), SourceKind.STREAM: ()}


@dataclass(frozen=True)
class ChosenSource(Generic[_Tiles]):
    """A source.

    Args:
        tiles: the source.
        origin: where it reads, in words.
        tile_bytes: what a tile costs to fetch, on average.
        commits: of each repository on the Hub that the tiles are from.
        digests: of the files of each slide of one's own.
    """

    tiles: _Tiles
    origin: str
    tile_bytes: int = 0
    commits: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[Slide, str] = field(default_factory=dict)


def tile_source(
    dataset: RegisteredDataset,
    workspace: Workspace,
    slides: tuple[Slide, ...],
    kind: SourceKind,
    known: Mapping[str, str] | None = None,
) -> ChosenSource[TileSource]:
    """Where the pixels of some slides come from: drawn here for the demo, the disk or the Hub for PLISM.

    A data set of one's own is always read from where its description says. What is streamed is
    streamed at one commit: the one that is known, else that of what was downloaded, else that of this
    moment.

    Args:
        dataset: what is read.
        workspace: where it may have been downloaded to.
        slides: those that are needed.
        kind: where to look.
        known: commits of repositories, which earlier work took tiles of.

    Raises:
        InvalidInput: if a source is named for a data set that has only one.
        Unavailable: if they shall be local, and are not; if the Hub does not say which commit is the newest.
        AccessDenied: if the Hub wants a token, or the terms of the repository accepted.
        CorruptFile: if what was downloaded has a damaged index.
    """
    if kind is not SourceKind.AUTO and (dataset == DEMO or isinstance(dataset, OwnDataset)):
        raise InvalidInput(
            f"--source {kind} says where PLISM is read; data set '{dataset.name}' has only one source.",
            hint="Leave --source out.",
        )
    found = _at_hand(dataset, workspace, slides, _LAYOUTS.get(kind, tuple(Layout)))
    if found is not None:
        return found
    if kind not in (SourceKind.AUTO, SourceKind.STREAM):
        layout_option = "" if kind is SourceKind.LOCAL else f" --layout {kind}"
        raise Unavailable(
            f"Not all of the {len(slides)} slides are under {workspace.root}"
            f"{f' in the layout {kind}' if layout_option else ''}.",
            hint=f"Run `plismbench download{layout_option}` with the same choice of slides, or use --source stream.",
        )
    from plismbench.tiles.plism.hub import TILE_BYTES, HubTiles
    from plismbench.tiles.plism.index import first_commit

    repo = Layout.TILES.repo
    commit = first_commit(dataset, Layout.TILES, workspace, known or {})
    return ChosenSource(
        HubTiles(dataset, repo, commit),
        f"streamed from {repo} at commit {commit[:12]}, nothing is kept on the disk",
        TILE_BYTES,
        {repo: commit},
    )


def tiles_at_hand(dataset: RegisteredDataset, workspace: Workspace, slides: tuple[Slide, ...]) -> TilesAtHand:
    """Where a few tiles of some slides can be read without a network.

    Raises:
        Unavailable: if not all of these slides are on the disk.
        CorruptFile: if what was downloaded has a damaged index.
    """
    found = _at_hand(dataset, workspace, slides, tuple(Layout))
    if found is None:
        names = ",".join(map(str, slides))
        raise Unavailable(
            f"There are no tiles of {names} here.", hint=f"Run `plismbench download --slides {names}` to see them."
        )
    return found.tiles


def _at_hand(
    dataset: RegisteredDataset, workspace: Workspace, slides: tuple[Slide, ...], layouts: Sequence[Layout]
) -> ChosenSource[TilesAtHand] | None:
    """Tiles that need no network: drawn, one's own, or all downloaded in one of these layouts."""
    # Each needs packages that take long to import.
    if dataset == DEMO:
        from plismbench.tiles.demo import DemoTiles

        return ChosenSource(DemoTiles(), "drawn here")
    if isinstance(dataset, OwnDataset):
        from plismbench.tiles.own import OwnTiles

        folder = dataset.path(slides[0]).parent
        return ChosenSource(OwnTiles(dataset), f"read from {folder}", digests=slide_digests(dataset, slides))
    from plismbench.tiles.plism.index import first_commit
    from plismbench.tiles.plism.local import downloaded, has_all

    for layout in layouts:
        if has_all(dataset, layout, workspace, slides):
            return ChosenSource(
                downloaded(dataset, layout, workspace),
                f"read from {workspace.tiles(layout, dataset.revision)}",
                commits={layout.repo: first_commit(dataset, layout, workspace, {})},
            )
    return None
