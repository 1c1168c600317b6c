from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL, write_h5

from plismbench.dataset import Slide
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.plism.download import Download, plan_download
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.plism.local import damage_mark, downloaded, is_there
from plismbench.tiles.plism.verification import Problem, check_files, check_slides
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace


@pytest.fixture(params=Layout)
def plan(hub: LoopbackHub, tmp_path: Path, request: pytest.FixtureRequest) -> Download:
    workspace = Workspace(tmp_path / "root", "plism")
    plan_download(SMALL, request.param, workspace, SMALL.slides).run(3, lambda _: None)
    return plan_download(SMALL, request.param, workspace, SMALL.slides)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_was_downloaded_is_what_was_published(plan: Download, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.requests.clear()
    read: list[int] = []
    seen: list[int] = []
    assert list(check_files(plan.folder, plan.files, read.append)) == []
    source = downloaded(SMALL, plan.index.layout, Workspace(tmp_path / "root", "plism"))
    assert list(check_slides(source, SMALL.slides, seen.append)) == []
    assert sum(read) == sum(file.size for file in plan.files)
    assert sum(seen) == len(SMALL.slides)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flip, "is damaged: SHA-256"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged: "),
        (Path.unlink, "is not there"),
    ],
    ids=["one bit", "one byte less", "gone"],
)
def test_a_damaged_file_is_named_and_the_next_download_mends_it(
    plan: Download, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    bad = plan.files[1]
    before = (plan.folder / bad.path).read_bytes()
    damage(plan.folder / bad.path)
    damaged = (plan.folder / bad.path).read_bytes() if (plan.folder / bad.path).exists() else None
    (problem,) = check_files(plan.folder, plan.files, lambda _: None)
    if damaged is not None:
        assert (plan.folder / bad.path).read_bytes() == damaged  # a check deletes nothing
    assert problem.name == bad.path
    assert words in problem.what
    again = plan_download(SMALL, plan.index.layout, Workspace(tmp_path / "root", "plism"), SMALL.slides)
    assert again.absent == (bad,)
    again.run(1, lambda _: None)
    assert (plan.folder / bad.path).read_bytes() == before
    assert list((plan.folder / bad.path).parent.glob(".*")) == []
    assert list(check_files(plan.folder, plan.files, lambda _: None)) == []


def test_what_cannot_be_marked_is_said_and_what_is_whole_again_is_unmarked(plan: Download) -> None:
    path = plan.folder / plan.files[1].path
    flip(path)
    mark = damage_mark(path)
    mark.symlink_to("no/such/folder")
    (problem,) = check_files(plan.folder, plan.files, lambda _: None)
    assert "remove it, as it cannot be marked for a download (No such file or directory)" in problem.what
    mark.unlink()
    assert len(list(check_files(plan.folder, plan.files, lambda _: None))) == 1
    assert mark.exists()
    assert not is_there(path, plan.files[1].size)
    flip(path)
    assert list(check_files(plan.folder, plan.files, lambda _: None)) == []
    assert is_there(path, plan.files[1].size)


def test_slides_that_show_other_places_are_named(tiles: dict[Slide, TileBatch], tmp_path: Path) -> None:
    slides = SMALL.slides[:4]
    paths = write_h5(tmp_path, {slide: tiles[slide] for slide in slides})
    with h5py.File(paths[1], "a") as content:
        content.move("tile_16_8_7", "tile_16_8_8")
    with h5py.File(paths[2], "a") as content:
        content.pop("tile_16_8_7")
    paths[3].unlink()
    assert list(check_slides(H5Tiles(SMALL, tmp_path), slides, lambda _: None)) == [
        Problem("GIVH_P", "has other tiles than GIV_P: tile_16_8_7 is on one of the two only"),
        Problem("GIVH_S60", "Slide GIVH_S60 has 24 tiles in GIVH_S60_to_GMH_S60.tif.h5; expected 25."),
        Problem("GM_AT2", f"Slide GM_AT2 is not there: no file GM_AT2_to_….tif.h5 in {tmp_path}."),
    ]
