from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL

from plismbench.dataset import DEMO, Slide
from plismbench.errors import CorruptFile, InvalidInput, Unavailable
from plismbench.tiles import SourceKind, tile_source, tiles_at_hand
from plismbench.tiles.demo import DemoTiles
from plismbench.tiles.download import plan_download
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.hub import HubTiles
from plismbench.tiles.layout import Layout
from plismbench.tiles.local import LocalShards, downloaded, has_all
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace

SLIDE = Slide("GIVH", "S60")
Fetch = Callable[..., None]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "root", "plism")


@pytest.fixture
def fetch(hub: LoopbackHub, workspace: Workspace) -> Fetch:
    def run(layout: Layout, *slides: Slide) -> None:
        plan_download(SMALL, layout, workspace, slides or SMALL.slides).run(3, lambda _: None)

    return run


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("slides", [(SLIDE,), SMALL.slides], ids=["one slide", "all"])
def test_downloaded_streamed_and_published_tiles_are_the_same(
    fetch: Fetch,
    hub: LoopbackHub,
    workspace: Workspace,
    tiles: dict[Slide, TileBatch],
    layout: Layout,
    slides: tuple[Slide, ...],
) -> None:
    fetch(layout, *slides)
    for slide in slides:
        streamed = list(HubTiles(SMALL, Layout.TILES.repo, "main").batches(slide, 10))
        hub.requests.clear()
        batches = list(downloaded(SMALL, layout, workspace).batches(slide, 10))
        assert hub.requests == []
        assert [batch.pixels.tobytes() for batch in batches] == [batch.pixels.tobytes() for batch in streamed]
        np.testing.assert_array_equal(np.concatenate([batch.xy for batch in batches]), tiles[slide].xy)
        np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), tiles[slide].pixels)


@pytest.mark.parametrize("layout", Layout)
def test_tiles_that_were_not_declared_are_refused(fetch: Fetch, workspace: Workspace, layout: Layout) -> None:
    fetch(layout, SLIDE)
    tiles = downloaded(replace(SMALL, tiles_sha256="0" * 64), layout, workspace)
    for read in (lambda: next(tiles.batches(SLIDE, 10)), lambda: tiles.tile_ids(SLIDE)):
        with pytest.raises(CorruptFile, match=r"GIVH_S60 in .* has other tiles than Small PLISM: .* expected 0000"):
            read()


@pytest.mark.parametrize("layout", Layout)
def test_all_is_there_when_every_file_is(fetch: Fetch, workspace: Workspace, layout: Layout) -> None:
    assert not has_all(SMALL, layout, workspace, [SLIDE])
    fetch(layout, SLIDE)
    assert has_all(SMALL, layout, workspace, [SLIDE])
    assert not has_all(SMALL, layout, workspace, SMALL.slides)
    assert not has_all(SMALL, layout, workspace, [Slide("MY", "P")])
    file = next(path for path in workspace.home.rglob("*.*") if path.suffix in (".parquet", ".h5"))
    file.write_bytes(file.read_bytes()[:-1])
    assert not has_all(SMALL, layout, workspace, [SLIDE])


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


def test_no_shards_and_a_missing_shard_are_named(fetch: Fetch, workspace: Workspace) -> None:
    source = LocalShards(SMALL, workspace.tiles("tiles", "main"))
    with pytest.raises(Unavailable, match="There are no shards in"):
        list(source.batches(SLIDE, 10))
    fetch(Layout.TILES)
    (source.folder / "data/train-00001-of-00005.parquet").unlink()
    with pytest.raises(CorruptFile, match=r"Slide GIVH_S60 has \d+ tiles in train-00000-.*; expected 25"):
        source.tile_ids(SLIDE)
