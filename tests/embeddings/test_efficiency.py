import json
from dataclasses import replace

import pytest
from stores import make_store, make_vectors

from plismbench.embeddings.efficiency import (
    Efficiency,
    read_costs,
    read_efficiency,
    total,
    write_efficiency,
)
from plismbench.errors import CorruptFile
from plismbench.workspace import Workspace

ONE = Efficiency(
    extractor="toy",
    n_params=48,
    device="GPU 1",
    precision="fp16",
    batch_size=64,
    compiled=False,
    n_tiles=100,
    forward_seconds=0.5,
    peak_memory=7,
)


def test_speed_by_hand():
    assert ONE.tiles_per_second == 200
    assert ONE.seconds_per_10k == 50


def test_slides_add_up():
    other = replace(ONE, n_tiles=300, forward_seconds=3.5, batch_size=32, peak_memory=9)
    whole = total([ONE, other])
    assert whole == replace(ONE, n_tiles=400, forward_seconds=4.0, batch_size=32, peak_memory=9)
    assert whole.tiles_per_second == 100
    assert total([ONE, replace(ONE, device="GPU 0")]).device == "GPU 0, GPU 1"
    assert total([replace(ONE, peak_memory=None)]).peak_memory is None


def test_it_comes_back_and_programs_find_the_speed(tmp_path):
    assert read_efficiency(tmp_path) is None
    write_efficiency(tmp_path, ONE)
    assert read_efficiency(tmp_path) == ONE
    told = json.loads((tmp_path / "efficiency.json").read_text())
    assert (told["tiles_per_second"], told["seconds_per_10k"], told["schema"]) == (200, 50, "plismbench.efficiency/1")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "efficiency.json").write_text("{}")
    with pytest.raises(CorruptFile, match=r"efficiency\.json.*Delete it"):
        read_efficiency(tmp_path)


def test_costs_are_read_where_they_were_recorded(tmp_path):
    workspace = Workspace(tmp_path, "tiny")
    for name in ("b", "a", "c"):
        store = make_store(workspace.embeddings(name), make_vectors(), name=name)
        if name != "c":
            write_efficiency(store.folder, replace(ONE, extractor=name))
    assert read_costs(workspace) == [replace(ONE, extractor=name) for name in "ab"]
