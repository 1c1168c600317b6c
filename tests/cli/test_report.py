def test_the_report_is_written_and_its_path_printed(run, extracted, tmp_path):
    run("evaluate", "--dataset", "tiny")
    outcome = run("report", "--dataset", "tiny")
    path = extracted.report
    assert outcome.out == f"{path}\n"
    assert "good" in path.read_text()
    outcome = run("report", "--dataset", "tiny", "--output", tmp_path / "new" / "mine.html")
    assert outcome.out == f"{tmp_path / 'new' / 'mine.html'}\n"
    assert (tmp_path / "new" / "mine.html").exists()


def test_nothing_to_report(run, tiny):
    outcome = run("report", "--dataset", "tiny")
    assert outcome.code == 2
    assert "plismbench evaluate --dataset tiny" in outcome.error
