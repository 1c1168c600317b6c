from rich.table import Table

from plismbench.cli.output import progress, say, show


def test_results_go_to_stdout_and_talk_to_stderr(capsys):
    show("a result")
    show("another\n")
    say("a word")
    captured = capsys.readouterr()
    assert captured.out == "a result\nanother\n"
    assert captured.err == "a word\n"


def test_a_table_goes_to_stdout(capsys):
    table = Table("name")
    table.add_row("x")
    show(table)
    captured = capsys.readouterr()
    assert "name" in captured.out
    assert captured.err == ""


def test_progress_goes_to_stderr_with_count_and_rate(capsys):
    with progress("model [x]", 10, "tiles") as advance:
        advance(4)
        advance(6)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "model [x]" in captured.err
    assert "10/10" in captured.err
    assert "tiles/s" in captured.err
