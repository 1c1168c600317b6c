import shutil
from dataclasses import replace

import pytest
from stores import SLIDES, make_dataset, make_store, make_vectors, make_xy

from plismbench.dataset import Slide
from plismbench.embeddings.manifest import read_manifest, write_manifest
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.extractors import registry
from plismbench.extractors.pinning import pinned
from plismbench.workspace import Workspace

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


def test_no_baseline_is_written_of_it(run, outdated, tmp_path):
    write = ("leaderboard", "--dataset", "tiny", "--write-baseline", str(tmp_path / "new.json"))
    outcome = run(*write)
    assert (outcome.code, outcome.error) == (2, f"plismbench: {WORDS}")
    assert not (tmp_path / "new.json").exists()
    assert run(*write, "--model", "noise").code == 0


def test_a_description_that_was_edited_is_said_and_passes_no_gate(run, evaluated, monkeypatch):
    gate = ("leaderboard", "--dataset", "tiny", "--fail-under", "0", "--model", "good")
    for changed, words in (
        (make_dataset(revision="2"), "is of revision 1, and 'tiny' is 2 now. Run `plismbench evaluate"),
        (make_dataset(slides=SLIDES[1:]), "compares GM_AT2, which 'tiny' does not have. Run `plismbench evaluate"),
    ):
        monkeypatch.setattr("plismbench.cli.leaderboard.find_dataset", lambda _, changed=changed: changed)
        assert words in run(*gate[:3]).err
        outcome = run(*gate)
        assert (outcome.code, words in outcome.error) == (2, True)
    assert f"or remove the old result from {evaluated.results('good', '')}." in outcome.error


def test_slides_of_ones_own_are_evaluated_anew_when_their_names_were_corrected(run, tmp_path):
    def describe(slides):
        lines = ['name = "own"', 'revision = "1"', "tiles = 30"]
        for place, slide in enumerate(slides):
            (tmp_path / f"{place}").mkdir(exist_ok=True)
            lines += [
                "[[slide]]",
                f'staining = "{slide.staining}"',
                f'scanner = "{slide.scanner}"',
                f'path = "{place}"',
            ]
        (tmp_path / "own.toml").write_text("\n".join(lines))

    own, corrected = f"--dataset={tmp_path}/own.toml", (*SLIDES[:-1], Slide("MY", "S60"))
    describe(SLIDES)
    vectors = make_vectors()
    for model in ("good", "other"):
        make_store(Workspace(tmp_path / "root", "own").embeddings(model), vectors, name=model, dataset="own")
    assert run("evaluate", own).code == 0
    describe(corrected)
    vectors[corrected[-1]] = vectors.pop(SLIDES[-1])
    make_store(Workspace(tmp_path / "root", "own").embeddings("good"), vectors, name="good", dataset="own")
    assert "good: wrote" in run("evaluate", own, "--model", "good").err
    outcome = run("leaderboard", own)
    assert outcome.out.count("own@1|slides:6-") == 2
    assert outcome.err.count("The result of 'other' compares MY_P, which 'own' does not have.") == 1
    assert "These models have no signature in common" in run("compare", "good", "other", own).error
    assert run("report", own).code == 0
    assert "compares MY_P, which" in (tmp_path / "root/own/report.html").read_text()


def test_the_command_that_is_told_is_that_of_the_result(run, extracted):
    chosen = "--slides GM_AT2,GM_P,HR_AT2 --n-tiles 20 --ks 1,2 --protocol owkin-fp16"
    assert run("evaluate", "--dataset", "tiny", *chosen.split()).code == 0
    make_store(extracted.embeddings("good"), make_vectors(seed=7), name="good")
    told = run("leaderboard", "--dataset", "tiny").err
    assert f"Run `plismbench evaluate --dataset tiny --model good {chosen}`." in told


def test_a_submission_is_of_no_vectors_that_are_here(run, evaluated, tmp_path):
    other = ("--dataset", "tiny", "--root", str(tmp_path / "other"))
    assert run("submit", "pack", "good", "--dataset", "tiny", "--output", str(tmp_path / "good.zip")).code == 0
    assert run("submit", "add", str(tmp_path / "good.zip"), *other[2:]).code == 0
    few = dict(list(make_vectors(seed=7).items())[:2])  # to try the model, on another machine
    make_store(Workspace(tmp_path / "other", "tiny").embeddings("good"), few, name="good")
    outcome = run("leaderboard", *other, "--fail-under", "0")
    assert (outcome.code, outcome.err) == (0, "The gate passed: 1 of 1 checks.\n")


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
            f"plismbench: What is here of 'good' was made by other weights, settings or code than {file} has now."
            f" Run `plismbench extract --dataset tiny --model {file} --existing replace`, or say good in its place to"
            " go on with it."
        )
    assert run(*gate[:-1], "good").code == 0
    for command in (
        ("compare", str(file), "noise"),
        ("export", "--to", str(tmp_path / "out"), "--model", str(file)),
        ("submit", "pack", str(file), "--output", str(tmp_path / "good.zip")),
        ("leaderboard", "--write-baseline", str(tmp_path / "new.json"), "--model", str(file)),
    ):
        outcome = run(*command, "--dataset", "tiny")
        assert (outcome.code, "other weights, settings or code" in outcome.error) == (2, True), command
    shutil.move(path.parent, tmp_path / "kept")  # without vectors the result says what made it
    assert "What is here of 'good' was made by other weights" in run(*gate).error
    assert run(*gate[:-1], "good").code == 0
    shutil.move(tmp_path / "kept", path.parent)
    (tmp_path / "last.pth").unlink()  # what is gone says nothing
    assert run(*gate).code == 0
    write_manifest(path, replace(manifest, fingerprint="imported-8", origin="elsewhere"))
    (tmp_path / "last.pth").write_bytes(b"step 3")
    assert "other weights" not in run(*gate).err
