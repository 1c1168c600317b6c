import shutil
from dataclasses import replace

import pytest
from stores import SLIDES, make_dataset, make_manifest, make_store, make_vectors
from synthetic_results import make_result

from plismbench.embeddings.manifest import write_manifest
from plismbench.results.currency import is_submitted, why_outdated
from plismbench.results.result import selection_name
from plismbench.workspace import Workspace

OTHERS = "The vectors of 'toy' are not those of its result any more."


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "tiny")


@pytest.fixture
def store(workspace):
    return make_store(workspace.embeddings("toy"), make_vectors(), name="toy")


@pytest.fixture
def run(store):
    return replace(
        make_result("toy", slides=SLIDES).run,
        dataset="tiny", revision="1", precision="fp32", fingerprint=store.manifest.fingerprint,
        vectors=store.contents(SLIDES),
    )  # fmt: skip


@pytest.fixture
def why(workspace):
    return lambda run, dataset=None: why_outdated(run, workspace, dataset or make_dataset())


def test_nothing_contradicts_the_vectors_it_was_computed_from_nor_those_that_were_deleted(store, run, why):
    assert why(run) == why(replace(run, revision="1:0123456789ab")) == ""
    store.path(SLIDES[2]).unlink()
    assert why(run) == ""
    shutil.rmtree(store.folder)
    assert why(run) == ""


def test_every_slide_that_is_there_is_one_of_it(store, run, why):
    make_store(store.folder, {SLIDES[0]: make_vectors(seed=1)[SLIDES[0]]}, name="toy")
    assert why(run) == OTHERS
    store.path(SLIDES[1]).unlink()
    assert why(run) == OTHERS
    store.path(SLIDES[0]).unlink()
    assert why(run) == ""


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"revision": "2"}, {"options": {"a": 1}}])
@pytest.mark.parametrize("left", [0, 2, 6])
def test_a_store_that_is_being_replaced_is_of_something_else(store, run, why, change, left):
    write_manifest(store.folder / "manifest.json", make_manifest(name="toy", **change))
    for slide in SLIDES[left:]:
        store.path(slide).unlink()
    assert why(run) == OTHERS


def test_tiles_of_another_commit_are_others(store, run, why):
    write_manifest(store.folder / "manifest.json", replace(store.manifest, tiles_commit={"o/tiles": "a" * 40}))
    assert why(replace(run, tiles_commit={"o/tiles": "b" * 40})) == OTHERS
    assert why(replace(run, tiles_commit={"o/tiles": "a" * 40, "tiny": "c" * 40})) == ""


def test_what_cannot_be_read_confirms_nothing_and_hides_nothing(store, run, why):
    store.path(SLIDES[1]).write_bytes(store.path(SLIDES[1]).read_bytes()[:300])
    assert why(run).startswith("Whether the result of 'toy' is of the vectors that are here cannot be told: ")
    assert "GM_P.parquet is damaged" in why(run)
    assert why(replace(run, fingerprint="other")) == OTHERS
    (store.folder / "manifest.json").write_text("{")
    assert "cannot be told: Cannot read " in why(run)
    (store.folder / "manifest.json").unlink()
    assert "cannot be told: Cannot read " in why(run)


def test_a_description_that_says_another_thing_now_contradicts_it(run, why):
    assert why(run, make_dataset(slides=SLIDES[1:])) == (
        "The result of 'toy' compares GM_AT2, which 'tiny' does not have."
    )
    assert why(run, make_dataset(revision="2")) == "The result of 'toy' is of revision 1, and 'tiny' is 2 now."


def test_a_submission_has_a_manifest_of_its_own(workspace, run):
    dataset = make_dataset()
    for one in (run, replace(run, slides=run.slides[:3], n_tiles=20, ks=(1,), protocol="owkin-fp16")):
        folder = workspace.results(
            "toy", selection_name(dataset, SLIDES[: len(one.slides)], one.n_tiles, one.ks, one.protocol)
        )
        folder.mkdir(parents=True)
        assert not is_submitted(one, workspace, dataset)
        write_manifest(folder / "manifest.json", make_manifest(name="toy"))
        assert is_submitted(one, workspace, dataset)
