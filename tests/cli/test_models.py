import json


def test_what_is_registered_is_listed(run):
    outcome = run("models")
    assert outcome.code == 0
    names = [line.split()[0] for line in outcome.out.splitlines()[1:] if line[0] != " "]
    assert {"h0-mini", "h-optimus-0", "constant", "random-vit-s"} <= set(names)
    assert names == sorted(names)


def test_as_json(run):
    told = json.loads(run("models", "--format", "json").out)
    by_name = {row["name"]: row for row in told["models"]}
    assert by_name["h0-mini"]["dim"] == 768
    assert by_name["h0-mini"]["gated"] is True
    assert by_name["constant"]["owner"] == "plismbench"
