from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.plism.hub import HubTiles
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.plism.local import LocalShards, downloaded, has_all
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace

SLIDE = Slide("GIVH", "S60")
Fetch = Callable[..., None]


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
    for read in (lambda: next(tiles.batches(SLIDE, 10)), lambda: tiles.of(SLIDE).places(tiles.dataset)):
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


def test_no_shards_and_a_missing_shard_are_named(fetch: Fetch, workspace: Workspace) -> None:
    source = LocalShards(SMALL, workspace.tiles("tiles", "main"))
    with pytest.raises(Unavailable, match="There are no shards in"):
        list(source.batches(SLIDE, 10))
    fetch(Layout.TILES)
    (source.folder / "data/train-00001-of-00005.parquet").unlink()
    with pytest.raises(CorruptFile, match=r"Slide GIVH_S60 has \d+ tiles in train-00000-.*; expected 25"):
        list(source.batches(SLIDE, 10))
