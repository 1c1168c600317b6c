import json
import shlex
from pathlib import Path

from submission_files import changed_table, forge, make_submission

from plismbench.extractors.spec import ExtractorSpec


def test_a_result_travels_from_one_root_to_another(run, evaluated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("submit", "pack", "good", "--dataset", "tiny").out == "good.plismbench.zip\n"
    path = tmp_path / "mine.zip"
    assert run("submit", "pack", "noise", "--dataset", "tiny", "--output", path).out == f"{path}\n"
    outcome = run("submit", "add", "good.plismbench.zip", path, "--root", tmp_path / "other")
    assert outcome.code == 0
    folders = [Path(line) for line in outcome.out.splitlines()]
    assert [folder.parent for folder in folders] == [
        tmp_path / "other/tiny/results" / name for name in ("good", "noise")
    ]
    assert all((folder / "run.json").exists() for folder in folders)
    there, here = (
        json.loads(run("leaderboard", "--dataset", "tiny", "--format", "json", *root).out)
        for root in (["--root", tmp_path / "other"], [])
    )
    assert there == here
    again = run("submit", "add", path, "--root", tmp_path / "other", "--existing", "skip")
    assert (again.code, again.out) == (0, "")
    assert "there is a result of 'noise' already" in again.err
    assert "--existing replace" in run("submit", "add", path, "--root", tmp_path / "other").error


def test_the_manifest_of_a_submission_goes_with_it(run, evaluated, tmp_path, monkeypatch):
    """Who evaluates for himself what was submitted before packs his own manifest."""
    monkeypatch.chdir(tmp_path)
    run("submit", "pack", "good", "--dataset", "tiny")
    (folder,) = run("submit", "add", "good.plismbench.zip", "--existing", "replace").out.splitlines()
    assert (Path(folder) / "manifest.json").exists()
    run("evaluate", "--dataset", "tiny", "--model", "good", "--existing", "replace")
    assert not (Path(folder) / "manifest.json").exists()


def test_of_several_results_one_is_named(run, evaluated, tmp_path):
    run("evaluate", "--dataset", "tiny", "--n-tiles", "20")
    outcome = run("submit", "pack", "good", "--dataset", "tiny", "--output", tmp_path / "a.zip")
    assert outcome.code == 2
    assert "'good' has 2 results. Add --signature with one of these: 'tiny@1" in outcome.error
    (signature,) = (word for word in shlex.split(outcome.error.rpartition(": ")[2]) if "tiles:20|" in word)
    assert run("submit", "pack", "good", "--dataset", "tiny", "--signature", signature,
               "--output", tmp_path / "a.zip").code == 0  # fmt: skip
    outcome = run("submit", "pack", "good", "--dataset", "tiny", "--signature", "x")
    assert "No result of 'good' has the signature 'x'. Add --signature with one of these: 'tiny@1" in outcome.error


def test_unknown_models_are_named(run, evaluated):
    outcome = run("submit", "pack", "god", "--dataset", "tiny")
    assert outcome.code == 2
    assert "Did you mean 'good'?" in outcome.error


def test_nothing_is_added_if_one_is_refused(run, tmp_path):
    archive, _ = make_submission(tmp_path)
    forged = forge(archive, changed_table(archive, "pairs.parquet", lambda table: table[1:]))
    outcome = run("submit", "add", archive, forged, "--root", tmp_path / "root")
    assert (outcome.code, outcome.out) == (2, "")
    assert "forged.zip: Its 4 slides make 6 pairs, and it has 5" in outcome.error
    assert not (tmp_path / "root").exists()
    assert "none.zip: There is no such file." in run("submit", "add", tmp_path / "none.zip").error


def test_copies_and_other_models_of_a_name_are_told(run, tmp_path):
    archives = []
    for name, dim, level in (("toy", 8, 0.5), ("copy", 8, 0.5), ("toy", 9, 0.6)):
        spec = ExtractorSpec(name=name, loader="a:b", dim=dim)
        folder = tmp_path / f"{name}{dim}"
        folder.mkdir()
        told = {"extractor": spec.as_dict(), "fingerprint": spec.fingerprint()}
        archives.append(make_submission(folder, level=level, **told)[0])
    first, copy, other = archives
    here = ("--root", tmp_path / "root")
    assert run("submit", "add", first, *here).err == ""
    assert run("submit", "add", first, *here, "--existing", "replace").err == ""
    assert (
        "'copy' has the vectors, or all numbers, of toy: one of them was copied"
        in run("submit", "add", copy, *here).err
    )
    refused = run("submit", "add", other, *here)
    assert refused.code == 2
    assert "There is another model called 'toy' here" in refused.error
    kept = run("submit", "add", other, *here, "--existing", "skip").err
    assert "there is a result of 'toy' already, of another model (" in kept
    replaced = run("submit", "add", other, *here, "--existing", "replace").err
    assert "'toy' is another model than before: " in replaced
