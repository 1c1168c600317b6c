import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.plism.hub import PublishedFile
from plismbench.tiles.plism.index import INDEX_FILE, first_commit, make_index, read_index, write_index
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace

COMMIT = "c" * 40


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("layout", Layout)
def test_an_index_tells_which_file_has_which_slides(published: Path, layout: Layout) -> None:
    index = make_index(SMALL, layout, COMMIT)
    folder = published / "datasets" / layout.repo
    assert [file.path for file in index.files] == sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.suffix in (".parquet", ".h5")
    )
    for file in index.files:
        assert file.size == (folder / file.path).stat().st_size
        if layout is Layout.TILES:
            ids = set(pq.read_table(folder / file.path)["slide_id"].to_pylist())
            held = {name.partition("_to_")[0] for name in ids}
            # By the first and last id of its row groups: never less, and seldom more.
            assert held <= set(file.slides)
        else:
            assert file.slides == (file.path.partition("_to_")[0],)


def test_only_footers_are_read(hub: LoopbackHub) -> None:
    index = make_index(SMALL, Layout.TILES, COMMIT)
    assert len(hub.requested(r"GET .*\.parquet")) == len(index.files)


@pytest.mark.usefixtures("hub")
def test_an_index_reads_back(tmp_path: Path) -> None:
    index = make_index(SMALL, Layout.TILES, COMMIT)
    write_index(tmp_path, index)
    assert read_index(tmp_path) == index
    assert read_index(tmp_path / "elsewhere") is None


@pytest.mark.parametrize("layout", Layout)
def test_a_workspace_stays_at_the_commit_that_it_began_with(hub: LoopbackHub, tmp_path: Path, layout: Layout) -> None:
    workspace = Workspace(tmp_path, "plism")
    now = hub.commit(hub.root / "datasets" / layout.repo)
    assert first_commit(SMALL, layout, workspace, {}) == now
    assert now != COMMIT
    write_index(workspace.tiles(layout, SMALL.revision), make_index(SMALL, layout, COMMIT))
    hub.requests.clear()
    assert first_commit(SMALL, layout, workspace, {"other/repo": "d" * 40}) == COMMIT
    assert first_commit(SMALL, layout, workspace, {layout.repo: "d" * 40}) == "d" * 40
    assert hub.requests == []


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("layout", Layout)
def test_a_slide_needs_its_own_files_only(layout: Layout) -> None:
    index = make_index(SMALL, layout, COMMIT)
    needed = index.needed([Slide("GIVH", "P")])
    assert 1 <= len(needed) < len(index.files)
    assert all("GIVH_P" in file.slides for file in needed)
    assert index.needed(SMALL.slides) == index.files
    with pytest.raises(Unavailable, match=f"{layout.repo} has no slide MY_P at commit [0-9a-f]{{12}}"):
        index.needed([Slide("MY", "P")])


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    "change",
    [
        {"schema": "plismbench.index/9"},
        {"layout": "zip"},
        {"files": [{"path": "a"}]},
        {"files": [{"path": "../a", "size": 1, "sha256": "", "slides": []}]},
        {"more": 1},
    ],
    ids=str,
)
def test_a_damaged_index_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    write_index(tmp_path, make_index(SMALL, Layout.H5, COMMIT))
    path = tmp_path / INDEX_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorruptFile, match=f"Cannot read {path}") as raised:
        read_index(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("path", ["../a.h5", "/etc/a.h5", "data/../../a.h5", "..\\a.h5"])
def test_a_file_outside_of_its_folder_is_refused(path: str) -> None:
    with pytest.raises(CorruptFile, match="outside of its folder"):
        PublishedFile(path, 1, "")
