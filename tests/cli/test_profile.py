import json

import pytest


def test_models_are_measured_side_by_side_and_nothing_is_written(run, tmp_path):
    outcome = run(
        "profile", "--model=constant,color-stats", "--device=cpu", "--batch-size=4", "--tiles=6", "--format=json"
    )
    assert outcome.code == 0
    assert outcome.err.splitlines() == ["constant: measured on 8 tiles.", "color-stats: measured on 8 tiles."]
    told = json.loads(outcome.out)
    assert told["schema"] == "plismbench.profile/1"
    assert [row["extractor"] for row in told["models"]] == ["constant", "color-stats"]
    for row in told["models"]:
        assert (row["n_tiles"], row["batch_size"], row["precision"], row["n_params"]) == (8, 4, "fp32", 0)
        assert row["tiles_per_second"] == pytest.approx(8 / row["forward_seconds"])
    assert not (tmp_path / "root").exists()


def test_the_table_is_the_result(run):
    outcome = run("profile", "--model", "constant", "--device", "cpu", "--tiles", "1")
    assert {"model", "tiles/s", "batch"} <= set(outcome.out.split())
    assert "constant" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "constan"], 2, "Did you mean 'constant'?"),
        (["--model", "constant", "--device", "cuda:99"], 3, "Device 'cuda:99' was asked for"),
        (["--model", "constant", "--batch-size", "many"], 2, "or auto; got 'many'"),
    ],
)
def test_bad_input_is_one_line(run, arguments, code, words):
    outcome = run("profile", *arguments)
    assert outcome.code == code
    assert words in outcome.error
