import json


def test_without_results_the_published_table_is_shown(run):
    outcome = run("leaderboard")
    assert outcome.code == 0
    assert outcome.err == "No results here yet: this is the published table.\n"
    lines = outcome.out.splitlines()
    assert lines[0] == "plism@published|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|owkin-fp16"
    assert lines[2].split()[:3] == ["1", "h0-mini", ".541"]
    assert len(lines) == 17


def test_results_are_ranked_a_table_for_each_signature(run, extracted):
    run("evaluate", "--dataset", "tiny")
    run("evaluate", "--dataset", "tiny", "--n-tiles", "20")
    outcome = run("leaderboard", "--dataset", "tiny")
    assert outcome.out.count("tiny@1|slides:6|tiles:") == 2
    told = json.loads(run("leaderboard", "--dataset", "tiny", "--format", "json").out)
    for board in told["boards"]:
        assert [row["name"] for row in board["rows"]] == ["good", "noise"]
        assert board["rows"][0]["score"] > board["rows"][1]["score"]
    assert "| good " in run("leaderboard", "--dataset=tiny", "--format=markdown").out


def test_no_results_of_another_data_set(run, tiny):
    outcome = run("leaderboard", "--dataset", "tiny")
    assert outcome.code == 2
    assert "No results of 'tiny'" in outcome.error
