import errno
import os
import shlex
import subprocess
import sys

import pytest
from extras import needs_dev_full
from rich.console import NewLine
from rich.control import Control
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


def in_a_shell(*command, redirected="", **environment):
    """A new process of Python, as a shell redirects it."""
    line = f"{shlex.join([sys.executable, *map(str, command)])} {redirected}"
    return subprocess.run(["sh", "-c", line], capture_output=True, env=os.environ | environment)


@needs_dev_full
def test_talk_that_cannot_be_written_stops_no_work():
    script = """
import sys
from plismbench.cli.output import prepare_streams, progress, say
prepare_streams()
for _ in range(10_000):
    say("a word")
with progress("model", 10, "tiles") as advance:
    advance(10)
print("done")
"""
    done = in_a_shell("-c", script, redirected="2>/dev/full")
    assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.parametrize(
    ("option", "redirected", "code", "err"),
    [
        ("--version", ">&-", 3, b"plismbench: Cannot write the result to stdout: it is closed. Send it elsewhere"),
        ("--version", ">&- 2>&- <&-", 3, b""),
        ("--no-such", "2>&-", 2, b""),
    ],
)
def test_a_closed_stream_leaves_the_exit_code_what_it_is(option, redirected, code, err):
    done = in_a_shell("-m", "plismbench", option, redirected=redirected)
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.startswith(err)
    assert b"Traceback" not in done.stderr


def test_files_do_not_get_the_number_of_a_closed_stream(tmp_path):
    script = "import sys; from plismbench.cli.output import prepare_streams; prepare_streams(); open(sys.argv[1], 'w')"
    script += "; import os; os.write(1, b'of a library'); os.write(2, b'of another')"
    assert in_a_shell("-c", script, tmp_path / "file", redirected=">&- 2>&- <&-").returncode == 0
    assert (tmp_path / "file").read_text() == ""


def test_what_stdout_cannot_encode_is_replaced(tmp_path):
    done = in_a_shell("-m", "plismbench", "leaderboard", "--root", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, b"?" in done.stdout) == (0, True)


def test_no_columns_are_as_many_as_there_are(tmp_path):
    command = ("-m", "plismbench", "leaderboard", "--root", tmp_path)
    none, unset = (in_a_shell(*command, COLUMNS=columns).stdout for columns in ("0", ""))
    assert none == unset
    assert len(unset.splitlines()) > 10


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


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("plismbench.cli.output.time.monotonic", lambda: now[0])
    monkeypatch.setattr("rich.console.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("terminal", [{}, {"FORCE_COLOR": "1", "TERM": "dumb"}])
def test_a_log_has_a_line_a_minute_and_one_at_the_end(capsys, monkeypatch, clock, terminal):
    for name, value in terminal.items():
        monkeypatch.setenv(name, value)
    with progress("model", 42, "pairs") as advance:
        for _ in range(42):
            clock[0] += 10
            advance(1)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert [line.split()[2] for line in lines] == [f"{n}/42" for n in (6, 12, 18, 24, 30, 36, 42)]
    assert all("0.1 pairs/s" in line for line in lines)
    assert [line.split()[-1] for line in lines[:2]] == ["0:06:00", "0:05:00"]


def test_work_that_is_lost_after_the_last_of_it_has_its_lines_too(capsys, clock):
    with progress("model", 4, "slides") as advance:
        advance(4)
        advance(-2)
        for _ in range(2):
            clock[0] += 60
            advance(1)
    first, last = capsys.readouterr().err.splitlines()
    assert "3/4" in first
    assert "4/4" in last
    assert "0:02:00" in last


def test_a_terminal_has_a_bar_and_no_lines(monkeypatch, clock):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    printed = []
    monkeypatch.setattr("rich.console.Console.print", lambda console, *what, **how: printed.extend(what))
    with progress("model", 4, "slides") as advance:
        for _ in range(4):
            clock[0] += 60
            advance(1)
    assert {type(what) for what in printed} - {NewLine} == {Control}  # rich 13 ends a bar with a NewLine


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
