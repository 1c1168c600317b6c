import threading

import pytest

from plismbench.errors import InvalidInput
from plismbench.storage import folder_lock, write_text
from plismbench.workspace import Workspace, default_root, folder_name


def test_paths_of_a_data_set(tmp_path):
    workspace = Workspace(tmp_path, "demo")
    assert workspace.embeddings("h0-mini") == tmp_path / "demo/embeddings/h0-mini"
    assert workspace.results("h0-mini", "256-tiles") == tmp_path / "demo/results/h0-mini/256-tiles"
    assert workspace.tiles("h5", "refs/pr/1") == workspace.home / "tiles/h5/refs%2Fpr%2F1"
    assert workspace.report.parent == workspace.home


@pytest.mark.parametrize("name", ["timm:vit/x", "../up", ".", "a b", "h0-mini+cls", "é", "%2F"])
def test_any_name_is_one_folder_of_its_own(name, tmp_path):
    folder = folder_name(name)
    assert "/" not in folder
    assert not folder.startswith(".")
    (tmp_path / folder).mkdir()
    others = ["timm:vit", "vit/x", "..", "h0-mini", "é%", "/"]
    assert folder not in map(folder_name, others)


def test_long_names_are_folders_and_stay_different(tmp_path):
    names = ["é" * 200, "é" * 199 + "e", "x" * 200, "x" * 300]
    folders = {folder_name(name) for name in names}
    assert len(folders) == 4
    assert "x" * 200 in folders
    for folder in folders:
        write_text(tmp_path / folder / f"{folder}.plismbench.zip", "")


def test_only_whole_things_are_found(tmp_path):
    workspace = Workspace(tmp_path, "demo")
    (workspace.embeddings("empty")).mkdir(parents=True)
    write_text(workspace.embeddings("whole") / "manifest.json", "{}")
    write_text(workspace.results("whole", "256-tiles") / "pairs.parquet", "")
    assert list(workspace.extracted()) == [workspace.embeddings("whole")]
    assert list(workspace.evaluated()) == []
    write_text(workspace.results("whole", "256-tiles") / "run.json", "{}")
    assert list(workspace.evaluated()) == [workspace.results("whole", "256-tiles")]


def test_a_result_that_is_being_replaced_is_waited_for(tmp_path):
    workspace = Workspace(tmp_path, "demo")
    folder = workspace.results("one", "256-tiles")
    write_text(folder / "run.json", "{}")
    begun, found = threading.Event(), []

    def read():
        begun.wait()
        found.extend(workspace.evaluated())

    reader = threading.Thread(target=read)
    reader.start()
    with folder_lock(folder):
        (folder / "run.json").unlink()
        begun.set()
        reader.join(0.2)
        assert reader.is_alive()
        write_text(folder / "run.json", "{}")
    reader.join()
    assert found == [folder]


def test_the_default_root_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_root() == tmp_path / "plismbench"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(default_root()) == "/somewhere/.local/share/plismbench"
    monkeypatch.setenv("XDG_DATA_HOME", "~nobody-at-all/x")
    with pytest.raises(InvalidInput, match=r"Nobody's home is that of ~nobody-at-all/x\. Name a folder with --root"):
        default_root()
