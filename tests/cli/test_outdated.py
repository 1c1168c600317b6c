import shutil
from dataclasses import replace

import pytest
from stores import make_store, make_vectors, make_xy

from plismbench.embeddings.manifest import read_manifest, write_manifest
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.extractors import registry
from plismbench.extractors.pinning import pinned

WORDS = (
    "The vectors of 'good' are not those of its result any more. Run `plismbench evaluate --dataset tiny --model good`."
)


@pytest.fixture
def outdated(run, extracted):
    """A result of 'good', which was extracted anew since, and one of 'noise', which was not."""
    assert run("evaluate", "--dataset", "tiny", "--n-tiles", "30").code == 0
    assert run("leaderboard", "--dataset", "tiny").err == ""
    make_store(extracted.embeddings("good"), make_vectors(seed=7), name="good")


def test_a_result_of_vectors_that_are_gone_passes_no_gate(run, outdated):
    outcome = run("leaderboard", "--dataset", "tiny")
    assert (outcome.code, outcome.err) == (0, f"{WORDS}\n")
    for options in ((), ("--model=good",)):
        outcome = run("leaderboard", "--dataset", "tiny", "--fail-under", "0", *options)
        assert (outcome.code, outcome.out, outcome.error) == (2, "", f"plismbench: {WORDS}")
    assert run("leaderboard", "--dataset", "tiny", "--fail-under", "0", "--model", "noise").code == 0
    assert run("evaluate", "--dataset", "tiny", "--n-tiles", "30").code == 0
    assert run("leaderboard", "--dataset", "tiny", "--fail-under", "0").code == 0


def test_every_command_that_shows_it_says_so(run, outdated, tmp_path):
    for command in (
        ("compare", "good", "noise"),
        ("report", "--failures", "none", "--output", str(tmp_path / "report.html")),
        ("export", "--to", str(tmp_path / "both")),
        ("submit", "pack", "good", "--output", str(tmp_path / "good.zip")),
    ):
        outcome = run(*command, "--dataset", "tiny")
        assert (outcome.code, WORDS in outcome.err.splitlines()) == (0, True), (command, outcome)
    for command in (
        ("export", "--model", "noise", "--to", str(tmp_path / "one")),
        ("submit", "pack", "noise", "--output", str(tmp_path / "noise.zip")),
    ):
        assert WORDS not in run(*command, "--dataset", "tiny").err


def test_a_file_that_says_another_thing_now_is_refused(run, extracted, tmp_path):
    (tmp_path / "last.pth").write_bytes(b"step 1")
    file = tmp_path / "good.toml"
    file.write_text(f'loader = "a:b"\ndim = 8\nweights = "file:{tmp_path}/last.pth"\n')
    path = extracted.embeddings("good") / "manifest.json"
    manifest = replace(read_manifest(path), fingerprint=pinned(registry.get(str(file))).fingerprint())
    shutil.rmtree(path.parent)
    for slide, vectors in make_vectors().items():
        EmbeddingStore(path.parent, manifest).write(Embeddings(slide, make_xy(len(vectors)), vectors))
    evaluate = ("evaluate", "--dataset", "tiny", "--model", f"{file},noise")
    gate = ("leaderboard", "--dataset", "tiny", "--fail-under", "0", "--model", str(file))
    assert [run(*evaluate).code, run(*gate).code] == [0, 0]
    (tmp_path / "last.pth").write_bytes(b"step 2")
    for command in (evaluate, gate):
        outcome = run(*command)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.error == (
            f"plismbench: The vectors of 'good' were made by other weights, settings or code than {file} has now."
            f" Run `plismbench extract --dataset tiny --model {file} --existing replace`, or say --model good to go on"
            " with them."
        )
    assert run(*gate[:-1], "good").code == 0
    (tmp_path / "last.pth").unlink()  # what is gone says nothing
    assert run(*gate).code == 0
    write_manifest(path, replace(manifest, fingerprint="imported-8", origin="elsewhere"))
    (tmp_path / "last.pth").write_bytes(b"step 3")
    assert "other weights" not in run(*gate).err
