import csv
import shlex
from pathlib import Path

import pytest
from plism_benchmark_features import write_features
from stores import make_vectors, make_xy


@pytest.fixture
def features(tmp_path, tiny):
    write_features(tmp_path / "features", make_vectors(), make_xy(30))
    return tmp_path / "features"


def test_from_their_vectors_to_their_tables(run, features, tmp_path):
    taken = run("import", "--from", features, "--model=theirs", "--dataset=tiny")
    assert (taken.code, taken.out) == (0, "")
    assert "6/6" in taken.err
    again = run("import", "--from", features, "--model=theirs", "--dataset=tiny")
    assert again.err.splitlines() == ["theirs: 6 of 6 slides are there already.", "theirs: nothing to do."]
    assert run("evaluate", "--dataset=tiny").code == 0
    assert run("evaluate", "--dataset=tiny", "--n-tiles=20").code == 0
    written = run("export", "--dataset=tiny", "--to", tmp_path / "metrics")
    folder = tmp_path / "metrics/20_tiles/theirs"
    assert set(written.out.splitlines()) == {
        f"{tmp_path}/metrics/{n}_tiles/theirs/{name}" for n in (20, 30) for name in ("metrics.csv", "results.csv")
    }
    assert len(list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))) == 15
    again = run("export", "--dataset=tiny", "--to", tmp_path / "metrics")
    assert (again.code, again.out) == (2, "")
    assert "is there already. Say --existing replace or skip." in again.error
    assert (
        len(run("export", "--dataset=tiny", "--to", tmp_path / "metrics", "--existing=replace").out.splitlines()) == 4
    )


def test_what_is_there_is_kept_as_a_whole_and_said(run, evaluated, tmp_path):
    export = ("export", "--dataset=tiny", "--to", tmp_path)
    assert run(*export).code == 0
    folder = tmp_path / "30_tiles/good"
    (folder / "metrics.csv").unlink()  # the other may be of another result
    outcome = run(*export, "--existing=skip")
    assert (outcome.code, outcome.out) == (0, "")
    assert f"Kept {folder} as it is." in outcome.err.splitlines()
    assert [path.name for path in folder.iterdir()] == ["results.csv"]
    folder.joinpath("results.csv").rename(tmp_path / "30_tiles/noise/results.csv")
    outcome = run(*export)
    assert (outcome.code, list(folder.iterdir())) == (2, [])  # nothing is written before all of it may be


def test_imported_vectors_are_evaluated_and_not_submitted(run, features, tmp_path):
    run("import", "--from", features, "--model=theirs", "--dataset=tiny")
    run("evaluate", "--dataset=tiny")
    outcome = run("submit", "pack", "theirs", "--dataset=tiny", "--output", tmp_path / "theirs.zip")
    assert outcome.code == 2
    assert "Imported vectors cannot be submitted: nothing shows which extractor made them. Extract" in outcome.error
    assert not (tmp_path / "theirs.zip").exists()


def test_their_rounding_is_within_the_stated_distance(run, features):
    run("import", "--from", features, "--model=theirs", "--dataset=tiny")
    exact = run("evaluate", "--dataset=tiny", "--format=csv")
    rounded = run("evaluate", "--dataset=tiny", "--format=csv", "--protocol=owkin-fp16")
    medians = [
        [float(row["median"]) for row in csv.DictReader(outcome.out.splitlines()) if row["metric"] == "cosine"]
        for outcome in (exact, rounded)
    ]
    assert medians[0] != medians[1]
    assert medians[1] == pytest.approx(medians[0], abs=2e-3)
    assert "owkin-fp16" in rounded.out


def test_of_two_results_of_one_name_one_is_named(run, extracted, tmp_path):
    run("evaluate", "--dataset=tiny")
    run("evaluate", "--dataset=tiny", "--model=good", "--ks=1,2")
    export = ("export", "--dataset=tiny", "--to", tmp_path / "metrics")
    outcome = run(*export, "--model=good")
    assert (outcome.code, outcome.out) == (2, "")
    assert "'good' has 2 results of 30 tiles, which would have one name. Add --signature with one" in outcome.error
    assert not (tmp_path / "metrics").exists()
    signatures = shlex.split(outcome.error.rpartition(": ")[2])
    assert len(signatures) == 2
    for signature, n_columns in zip(signatures, (4, 2), strict=True):
        path, _ = run(*export, "--model=good", "--signature", signature, "--existing=replace").out.splitlines()
        heading = Path(path).read_text().splitlines()[0]
        assert (signature.count("k:1,2|"), heading.count("top_")) == (n_columns == 2, n_columns)
    outcome = run(*export, "--signature=x")
    assert (outcome.code, outcome.out) == (2, "")
    assert "No result has the signature 'x'. Add --signature with one of these: 'tiny@1" in outcome.error


def test_a_model_of_two_results_does_not_keep_the_others_from_export(run, extracted, tmp_path):
    run("evaluate", "--dataset=tiny")
    run("evaluate", "--dataset=tiny", "--model=good", "--ks=1,2")
    outcome = run("export", "--dataset=tiny", "--to", tmp_path)
    assert outcome.code == 0
    assert outcome.out.splitlines() == [f"{tmp_path}/30_tiles/noise/{name}" for name in ("metrics.csv", "results.csv")]
    assert "Left out: 'good' has 2 results of 30 tiles" in outcome.err


def test_where_every_model_has_two_results_one_must_be_named(run, extracted, tmp_path):
    for ks in ("1,2,3", "1,2"):
        run("evaluate", "--dataset=tiny", f"--ks={ks}")
    outcome = run("export", "--dataset=tiny", "--to", tmp_path / "metrics")
    assert (outcome.code, outcome.out) == (2, "")
    assert "has 2 results of 30 tiles, which would have one name. Add --signature with one" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "--from", "absent", "--model=a"], "absent has no slides such as"),
        (["export", "--to", "out"], "No results of 'tiny' under"),
    ],
)
def test_bad_input_is_one_line(run, tiny, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run(*arguments, "--dataset=tiny")
    assert outcome.code == 2
    assert words in outcome.error


def test_an_unknown_model_is_named(run, extracted, tmp_path):
    run("evaluate", "--dataset=tiny")
    outcome = run("export", "--dataset=tiny", "--to", tmp_path / "out", "--model=god")
    assert "No evaluated model named 'god'. Did you mean 'good'?" in outcome.error
