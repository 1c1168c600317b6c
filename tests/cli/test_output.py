import errno

import pytest
from rich.table import Table

from plismbench.cli.output import deliver, progress, say, show
from plismbench.errors import StorageFailure


def test_results_go_to_stdout_and_talk_to_stderr(capsys):
    show("a result")
    show("another\n")
    say("a word")
    captured = capsys.readouterr()
    assert captured.out == "a result\nanother\n"
    assert captured.err == "a word\n"


def test_a_full_disk_behind_stdout_is_one_sentence(monkeypatch):
    def refuse(text):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stdout.write", refuse)
    with pytest.raises(StorageFailure, match=r"Cannot write the result to stdout: No space left on device\."):
        show("a result")


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


@pytest.mark.parametrize(("unit", "speed"), [("tiles", "812.5 tiles/s"), ("bytes", "812 bytes/s")])
def test_progress_is_one_line_of_80_columns_whatever_its_title(capsys, monkeypatch, unit, speed):
    now = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "80")
    with progress("timm:vit_tiny_patch16_224@step100, timm:vit_tiny_patch16_224@step200", 1481298, unit) as advance:
        for _ in range(2):
            now[0] += 40
            advance(32_500)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("timm:vit_…24@step200 ")
    assert speed in line
    assert line.endswith("left 0:29:04")


NAMES = Table(box=None)
NAMES.add_column("model", style="cyan", overflow="fold")
NAMES.add_row("x" * 200)


def test_a_pipe_gets_whole_names_and_a_terminal_what_it_has_room_for(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    show(NAMES)
    assert "x" * 200 in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "80")
    show(NAMES)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    show(NAMES)
    assert "x" * 200 not in capsys.readouterr().out


def test_a_file_of_results_has_no_colour_and_whole_names(tmp_path, capsys):
    path = tmp_path / "new" / "board.txt"
    deliver(["first [bold]", NAMES, "last\n"], path)
    lines = path.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("first [bold]", "last")
    assert "\x1b" not in path.read_text()
    assert " " + "x" * 200 in [line.rstrip() for line in lines]
    assert capsys.readouterr().out == f"{path}\n"


def test_without_a_file_results_are_shown(capsys):
    deliver(["one", "two\n"], None)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_time_left_is_known_where_each_step_takes_minutes(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    with progress("slow", 4, "tiles") as advance:
        for _ in range(3):
            now[0] += 80
            advance(1)
    assert "left 0:01:20" in " ".join(capsys.readouterr().err.split())


def test_the_rate_is_of_what_is_counted_and_not_of_what_follows(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    with progress("fast", 40, "pairs") as advance:
        now[0] += 10
        advance(40)
        now[0] += 90
    assert "4.0 pairs/s 0:00:10" in " ".join(capsys.readouterr().err.split())
