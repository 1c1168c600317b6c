import re

import pytest
from loopback_hub import Fault, FaultKind, LoopbackHub
from small_plism import SMALL

from plismbench import dataset
from plismbench.tiles.plism.layout import Layout

SHARDS = r"GET .*/resolve/.*\.parquet"


@pytest.fixture
def hub(published, monkeypatch, tmp_path):
    monkeypatch.setitem(dataset.DATASETS, "plism", SMALL)
    with LoopbackHub(published) as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


def test_one_slide_is_fetched_checked_and_checked_again(run, hub, tmp_path):
    done = run("download", "--slides=HR_SQ")
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path}/root/plism/tiles/tiles/main\n"
    assert "1 slides at commit " in done.err
    assert re.search(r"1 of 5 files, (\d+ kB); 1 to fetch, \1\. Free in .*/root: [\d.]+ GB\.", done.err)
    assert "1 slides are complete." in done.err
    hub.requests.clear()
    again = run("download", "--slides=HR_SQ", "--verify")
    assert (again.code, again.out) == (0, done.out)
    assert "0 to fetch, 0 bytes" in again.err
    assert hub.requests == []


@pytest.mark.parametrize("layout", Layout)
def test_a_dry_run_lists_what_is_missing_and_fetches_nothing(run, hub, published, tmp_path, layout):
    listed = run("download", "--slides=all", f"--layout={layout}", "--dry-run")
    assert listed.code == 0
    folder = published / "datasets" / layout.repo
    assert dict(reversed(line.split("\t")) for line in listed.out.splitlines()) == {
        str(path.relative_to(folder)): str(path.stat().st_size) for path in folder.rglob("*.*")
    }
    assert [path.name for path in (tmp_path / "root").rglob("*") if path.is_file()] == ["index.json"]


def test_what_is_wrong_is_listed_with_the_next_step(run, hub, tmp_path):
    run("download", "--slides=all", "--layout=h5")
    folder = tmp_path / "root/plism/tiles/h5/main"
    (folder / "GM_AT2_to_GMH_S60.tif.h5").unlink()
    found = run("download", "--slides=all", "--layout=h5", "--verify")
    assert found.code == 3
    assert found.out.splitlines()[0] == "GM_AT2_to_GMH_S60.tif.h5\tis not there"
    assert found.out.splitlines()[1].startswith("GM_AT2\tSlide GM_AT2 is not there")
    assert f"`plismbench download --root={tmp_path}/root --layout=h5 --slides=all`" in found.error
    assert run("download", "--slides=all", "--layout=h5").code == 0
    assert run("download", "--slides=all", "--layout=h5", "--verify").code == 0


def test_slides_can_be_left_out(run, hub, tmp_path):
    assert run("download", "--slides=all", "--layout=h5", "--exclude-slides=HR_SQ,GIV_P").code == 0
    names = {path.name.partition("_to_")[0] for path in (tmp_path / "root").rglob("*.h5")}
    assert names == {"GIVH_P", "GIVH_S60", "GM_AT2", "GMH_S60"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--slides=GM_X"], 2, "No slide of data set 'plism' named 'GM_X'"),
        (["--exclude-slides=GM_X"], 2, "No slide of data set 'plism' named 'GM_X'"),
        (["--verify"], 3, "Nothing of owkin/plism-dataset-tiles is under"),
    ],
)
def test_misuse_is_one_line(run, hub, arguments, code, words):
    outcome = run("download", *arguments)
    assert outcome.code == code
    assert words in outcome.error


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("", FaultKind.PAGE), "is not the Hub: it sent a page that is not JSON"),
        (Fault("/api/", status=302, headers={"Location": "/api/datasets/owkin/plism-dataset"}), "redirect"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["download", "--layout=h5", "--slides=HR_SQ"],
        ["extract", "--model=color-stats", "--slides=HR_SQ", "--source=stream"],
        ["doctor"],
    ],
    ids=lambda command: command[0],
)
def test_a_network_that_answers_in_place_of_the_hub_is_one_line(run, hub, monkeypatch, command, fault, words):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.faults.append(fault)
    outcome = run(*command)
    assert outcome.code == 3
    assert outcome.error
    assert words in (outcome.out if command == ["doctor"] else outcome.error)


def test_a_refusal_is_one_line(run, hub):
    hub.faults.append(Fault(SHARDS, status=403, headers={"X-Error-Code": "GatedRepo"}))
    outcome = run("download")
    assert (outcome.code, outcome.out) == (3, "")
    assert "your account was not granted access" in outcome.error
