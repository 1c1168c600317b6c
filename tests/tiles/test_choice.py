from collections.abc import Callable, Iterator

import numpy as np
import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL

from plismbench.dataset import DEMO, Slide
from plismbench.errors import InvalidInput, Unavailable
from plismbench.tiles.choice import SourceKind, tile_source, tiles_at_hand
from plismbench.tiles.demo import DemoTiles
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.plism.hub import HubTiles
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.plism.local import LocalShards
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace

SLIDE = Slide("GIVH", "S60")
Fetch = Callable[..., None]


def test_the_disk_is_chosen_if_every_slide_is_there(fetch: Fetch, hub: LoopbackHub, workspace: Workspace) -> None:
    streamed = HubTiles(SMALL, Layout.TILES.repo, hub.commit(hub.root / "datasets" / Layout.TILES.repo))

    def choose(kind: SourceKind, *slides: Slide) -> object:
        return tile_source(SMALL, workspace, slides, kind).tiles

    assert choose(SourceKind.AUTO, SLIDE) == streamed
    with pytest.raises(Unavailable, match=r"Not all of the 1 slides are under .*plismbench download"):
        choose(SourceKind.LOCAL, SLIDE)
    fetch(Layout.H5, SLIDE)
    folder = workspace.tiles("h5", "main")
    assert choose(SourceKind.AUTO, SLIDE) == choose(SourceKind.LOCAL, SLIDE) == H5Tiles(SMALL, folder)
    assert choose(SourceKind.STREAM, SLIDE) == choose(SourceKind.AUTO, *SMALL.slides) == streamed
    fetch(Layout.TILES)
    shards = LocalShards(SMALL, workspace.tiles("tiles", "main"))
    assert choose(SourceKind.AUTO, *SMALL.slides) == shards
    assert choose(SourceKind.TILES, SLIDE) == choose(SourceKind.LOCAL, SLIDE) == shards
    assert choose(SourceKind.H5, SLIDE) == H5Tiles(SMALL, folder)
    with pytest.raises(Unavailable, match=r"in the layout h5\. Run `plismbench download --layout h5`"):
        choose(SourceKind.H5, *SMALL.slides)


@pytest.mark.parametrize("layout", Layout)
def test_a_few_tiles_are_picked_from_what_was_downloaded_and_never_fetched(
    fetch: Fetch, hub: LoopbackHub, workspace: Workspace, tiles: dict[Slide, TileBatch], layout: Layout
) -> None:
    with pytest.raises(Unavailable, match=r"There are no tiles of GIVH_S60 here\. Run `plismbench download --slides"):
        tiles_at_hand(SMALL, workspace, (SLIDE,))
    fetch(layout, SLIDE)
    hub.requests.clear()
    batch = tiles_at_hand(SMALL, workspace, (SLIDE,)).pick(SLIDE, [24, 0, 7])
    assert hub.requests == []
    np.testing.assert_array_equal(batch.xy, tiles[SLIDE].xy[[24, 0, 7]])
    np.testing.assert_array_equal(batch.pixels, tiles[SLIDE].pixels[[24, 0, 7]])


@pytest.mark.parametrize("kind", [kind for kind in SourceKind if kind is not SourceKind.AUTO])
def test_a_source_is_not_named_for_a_data_set_that_has_one(workspace: Workspace, kind: SourceKind) -> None:
    with pytest.raises(InvalidInput, match=f"--source {kind} says where PLISM is read; data set 'demo' has only one"):
        tile_source(DEMO, workspace, (SLIDE,), kind)


@pytest.fixture
def push(hub: LoopbackHub) -> Iterator[Callable[[Layout], str]]:
    """Pushes to a repository, and gives the commit after that."""
    pushed = []

    def push(layout: Layout) -> str:
        base = hub.root / "datasets" / layout.repo
        pushed.append(base / "README.md")
        pushed[-1].write_text("new")
        return hub.commit(base)

    yield push
    for path in pushed:
        path.unlink()


def test_all_slides_are_streamed_at_one_commit_whatever_is_pushed(
    hub: LoopbackHub, workspace: Workspace, push: Callable[[Layout], str]
) -> None:
    repo = Layout.TILES.repo
    before = hub.commit(hub.root / "datasets" / repo)
    chosen = tile_source(SMALL, workspace, SMALL.slides, SourceKind.STREAM)
    assert chosen.commits == {repo: before}
    assert len(hub.requests) == 1
    list(chosen.tiles.batches(SMALL.slides[0], 25))
    assert push(Layout.TILES) != before
    list(chosen.tiles.batches(SMALL.slides[1], 25))
    assert {request.path.split("/resolve/")[1].split("/")[0] for request in hub.requested("/resolve/")} == {before}
    assert len(hub.requested(f"/api/datasets/{repo}/revision/main")) == 1
    assert tile_source(SMALL, workspace, SMALL.slides, SourceKind.STREAM).commits != chosen.commits


@pytest.mark.parametrize("layout", Layout)
def test_downloaded_tiles_are_of_the_commit_of_their_index(
    fetch: Fetch, hub: LoopbackHub, workspace: Workspace, push: Callable[[Layout], str], layout: Layout
) -> None:
    before = hub.commit(hub.root / "datasets" / layout.repo)
    fetch(layout)
    push(layout)
    assert tile_source(SMALL, workspace, SMALL.slides, SourceKind.AUTO).commits == {layout.repo: before}


def test_the_origin_is_said_in_words(fetch: Fetch, hub: LoopbackHub, workspace: Workspace) -> None:
    streamed = tile_source(SMALL, workspace, (SLIDE,), SourceKind.AUTO)
    commit = hub.commit(hub.root / "datasets" / Layout.TILES.repo)[:12]
    assert streamed.origin == (
        f"streamed from owkin/plism-dataset-tiles at commit {commit}, nothing is kept on the disk"
    )
    fetch(Layout.TILES, SLIDE)
    assert tile_source(SMALL, workspace, (SLIDE,), SourceKind.AUTO).origin == (
        f"read from {workspace.tiles('tiles', 'main')}"
    )
    demo = tile_source(DEMO, workspace, (SLIDE,), SourceKind.AUTO)
    assert (demo.tiles, demo.origin) == (DemoTiles(), "drawn here")
