import dataclasses
import gc
import json
import os

import pytest
from extras import needs_dev_full
from synthetic_results import make_result

from plismbench.dataset import DEMO, PLISM, Slide
from plismbench.errors import CorruptFile, DuplicateName, StorageFailure
from plismbench.results.aggregation import AGAIN
from plismbench.results.result import (
    read_result,
    read_results,
    selection_name,
    slides_digest,
    with_distinct_signatures,
    write_result,
)
from plismbench.workspace import Workspace


@pytest.fixture
def result():
    return make_result()


def test_it_reads_back(tmp_path, result):
    write_result(tmp_path / "new", result)
    back = read_result(tmp_path / "new")
    assert back.run == result.run
    assert back.pairs.equals(result.pairs)
    for table in ("pairs", "summary", "cores", "draws"):
        assert getattr(back, table).equals(getattr(result, table))


@needs_dev_full
def test_a_full_disk_is_one_sentence_that_names_the_table_and_leaves_no_mark_of_completeness(
    tmp_path, result, monkeypatch
):
    write_result(tmp_path, result)

    def full(folder):
        path = folder / ".x.part"
        path.symlink_to("/dev/full")
        return os.open(path, os.O_WRONLY), path

    monkeypatch.setattr("plismbench.storage._locked_part", full)
    with pytest.raises(StorageFailure, match=r"The disk is full: could not write .*/pairs\.parquet"):
        write_result(tmp_path, result)
    gc.collect()  # what the error held goes without a word on stderr
    assert not (tmp_path / "run.json").exists()
    assert list(tmp_path.glob(".*")) == []


def test_the_signature_is_one_line_of_what_must_be_equal():
    run = dataclasses.replace(make_result().run, slides=tuple(sorted(map(str, PLISM.slides))))
    assert run.signature == "plism@main|slides:91|tiles:8139|seed:42|k:1,10|fp16|plism-1"
    changes = [
        {"dataset": "x"}, {"revision": "2"}, {"n_tiles": 460}, {"seed": 1}, {"ks": (1,)}, {"precision": "bf16"},
        {"protocol": "plism-2"}, {"slides": run.slides[:5]},
    ]  # fmt: skip
    signatures = {dataclasses.replace(run, **change).signature for change in changes}
    assert len(signatures | {run.signature}) == len(changes) + 1
    own, others = (dataclasses.replace(run, dataset="own", slides=slides) for slides in (run.slides, run.slides[1:]))
    assert own.signature.partition("|")[2].startswith(f"slides:91-{slides_digest(own.slides)}|")
    renamed = dataclasses.replace(others, slides=("ZZ_AT2", *others.slides[1:]))  # as a description may be corrected
    assert renamed.signature != others.signature
    same = dataclasses.replace(run, engine="exact", device="cuda", pairs_per_second=3.0, fingerprint="0")
    assert same.signature == run.signature


def test_unlike_commits_of_one_repository_are_told_apart_and_nothing_else():
    commits = {
        "a": {"o/tiles": "1" * 40},
        "b": {"o/tiles": "1" * 40, "o/h5": "5" * 40},
        "c": {"o/tiles": "2" * 40},
        "h5": {"o/h5": "5" * 40},
        "imported": {},
    }
    results = [make_result(name, tiles_commit=known) for name, known in commits.items()]
    alike = [result for result in results if result.run.name != "c"]
    assert [result.run for result in with_distinct_signatures(alike)] == [result.run for result in alike]
    assert [result.run.signature.partition("|")[0] for result in with_distinct_signatures(results)] == [
        "plism@main:111111111111",
        "plism@main:111111111111",
        "plism@main:222222222222",
        "plism@main",
        "plism@main",
    ]
    other_tiles = make_result("c", n_tiles=460, tiles_commit=commits["c"])  # another signature anyway
    assert [result.run for result in with_distinct_signatures([results[0], other_tiles])] == [
        results[0].run,
        other_tiles.run,
    ]


def test_a_choice_of_slides_has_its_own_folder():
    assert selection_name(PLISM, PLISM.slides, 8_139, (1, 3, 5, 10)) == "8139-tiles"
    assert selection_name(PLISM, PLISM.slides, 460, (10, 5, 3, 1)) == "460-tiles"
    some = selection_name(DEMO, DEMO.slides[:5], 256, (1, 3, 5, 10))
    assert some.startswith("256-tiles-5-slides-")
    assert some != selection_name(DEMO, DEMO.slides[1:6], 256, (1, 3, 5, 10))
    assert selection_name(PLISM, PLISM.slides, 460, (7, 2)) == "460-tiles-k-2-7"
    assert selection_name(PLISM, PLISM.slides, 460, (1, 3, 5, 10), "owkin-fp16") == "460-tiles-owkin-fp16"


def test_a_digest_does_not_depend_on_the_order():
    assert slides_digest(["a", "b"]) == slides_digest(["b", "a"]) != slides_digest(["a", "c"])


@pytest.mark.parametrize("name", ["pairs.parquet", "summary.parquet", "cores.parquet", "draws.parquet", "run.json"])
@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_damage_is_named(tmp_path, result, name, damage):
    write_result(tmp_path, result)
    path = tmp_path / name
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CorruptFile, match=name) as caught:
        read_result(tmp_path)
    assert caught.value.hint == AGAIN


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_tiles": 460}, "says signature .*tiles:8139.*, its fields say .*tiles:460"),
        ({"schema": "plismbench.run/9"}, "run/9; this version reads plismbench.run/4"),
        ({"unheard": 1}, "unheard"),
        ({"tiles_commit": None}, "Cannot read .*/run.json: its tiles_commit is None"),
        ({"tiles_commit": ["a"]}, "its tiles_commit is"),
        ({"n_tiles": "8139"}, "its n_tiles is '8139'"),
        ({"extractor": {}}, "'name'"),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(tmp_path, result, change, words):
    write_result(tmp_path, result)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorruptFile, match=words) as caught:
        read_result(tmp_path)
    assert caught.value.hint == AGAIN


def test_results_are_read_from_a_workspace(tmp_path):
    workspace = Workspace(tmp_path, "plism")
    for name in ("b", "a"):
        write_result(workspace.results(name, "8139-tiles"), make_result(name))
    assert [result.run.name for result in read_results(workspace)] == ["a", "b"]


def test_a_copied_folder_is_no_second_opinion(tmp_path):
    workspace = Workspace(tmp_path, "plism")
    slides = (Slide("GM", "AT2"), Slide("HR", "AT2"))
    for selection, level in (("8139-tiles", 0.5), ("8139-tiles.old", 0.4)):
        write_result(workspace.results("a", selection), make_result("a", level, slides))
    with pytest.raises(DuplicateName, match=r"8139-tiles and .*8139-tiles.old are both results of 'a'"):
        read_results(workspace)


def test_one_result_in_two_folders_is_one(tmp_path):  # a choice of slides became all of one's own
    workspace = Workspace(tmp_path, "plism")
    slides = (Slide("GM", "AT2"), Slide("HR", "AT2"))
    result = make_result("a", slides=slides, vectors={str(slide): "0" * 16 for slide in slides})
    for selection in ("20-tiles", "20-tiles-2-slides-abcdef"):
        write_result(workspace.results("a", selection), result)
    assert [result.run for result in read_results(workspace)] == [result.run]
