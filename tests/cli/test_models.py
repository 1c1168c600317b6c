import json

import pytest


def test_what_is_registered_is_listed(run):
    outcome = run("models")
    assert outcome.code == 0
    names = [line.split()[0] for line in outcome.out.splitlines()[1:] if " of " not in line]
    assert {"h0-mini", "h-optimus-0", "constant", "random-vit-s"} <= set(names)
    assert names == sorted(names)


def test_as_json(run):
    told = json.loads(run("models", "--format", "json").out)
    by_name = {row["name"]: row for row in told["models"]}
    assert by_name["h0-mini"]["dim"] == 768
    assert by_name["h0-mini"]["gated"] is True
    assert by_name["constant"]["owner"] == "plismbench"


def test_one_model_is_shown(run):
    shown = run("models", "show", "virchow2", "--format", "json")
    (told,) = json.loads(shown.out)["models"]
    assert (told["name"], told["dim"], told["pooling"]) == ("virchow2", 2560, "cls+mean")
    table = run("models", "show", "virchow2").out
    assert "631,239,424" in table
    assert run("models", "show", "virchow3").code == 2


def test_a_check_passes_is_kept_and_catches_a_change(run, tmp_path):
    first = run("models", "check", "small-pixels", "--record")
    assert (first.code, first.err.count("\n")) == (0, 1), first.err
    assert "WRONG" not in first.out
    assert (tmp_path / "root/checks/small-pixels.json").exists()
    again = run("models", "check", "small-pixels", "--format", "json")
    told = {finding["name"]: finding for finding in json.loads(again.out)["findings"]}
    assert told["against the record"]["passed"] is True
    path = tmp_path / "root/checks/small-pixels.json"
    kept = json.loads(path.read_text())
    kept["vectors"][0] = kept["vectors"][0][::-1]
    path.write_text(json.dumps(kept))
    changed = run("models", "check", "small-pixels")
    assert changed.code == 1
    assert "against the record" in next(line for line in changed.out.splitlines() if "WRONG" in line)
    assert json.loads(path.read_text()) == kept  # nothing is recorded unasked


def test_a_model_that_gives_one_vector_for_all_fails_the_check(run):
    done = run("models", "check", "constant")
    assert done.code == 1
    assert done.err == "constant: not as it should be: unlike tiles.\n"


@pytest.mark.parametrize("old", ["[]", "{", '{"fingerprint": "0", "vectors": [[1]]}'])
def test_a_record_that_is_no_use_is_replaced(run, tmp_path, old):
    path = tmp_path / "root/checks/mean-color.json"
    path.parent.mkdir(parents=True)
    path.write_text(old)
    assert run("models", "check", "mean-color", "--record").code == 0
    assert run("models", "check", "mean-color").code == 0
    assert len(json.loads(path.read_text())["vectors"]) == 4
