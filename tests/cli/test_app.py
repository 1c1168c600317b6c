import os
import subprocess
import sys

import pytest

from plismbench import __version__
from plismbench.cli import app
from plismbench.errors import GateFailed, InvalidInput, Unavailable

COMMANDS = ["extract", "evaluate", "leaderboard", "compare", "submit", "report", "models"]
HEAVY = {"torch", "timm", "faiss", "datasets", "polars", "pyarrow", "rich", "plotly", "skimage", "huggingface_hub"}


def test_help_names_every_command_and_imports_nothing_heavy():
    code = f"""
import sys
sys.argv = ["plismbench", "--help"]
from plismbench.cli.app import main
try:
    main()
finally:
    print("imported:", sorted({HEAVY} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(command in done.stdout for command in COMMANDS)
    assert done.stdout.rstrip().endswith("imported: []")
    assert done.stderr == ""


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_ends_with_two_lines_to_paste(run, command):
    outcome = run(*command, "--help")
    lines = [line.strip() for line in outcome.out.splitlines() if line.strip()]
    assert outcome.code == 0
    for line in lines[-2:]:
        assert line.startswith("plismbench ")
        if command:
            assert line.split()[1] == command[0]
            # What can be pasted must parse: every option it uses stands in the help above it.
            options = {word for above in lines[:-2] for word in above.replace(",", " ").split()}
            assert {word for word in line.split() if word.startswith("--")} <= options


def test_version(run):
    assert run("--version").out == f"{__version__}\n"


def test_it_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "plismbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidInput("This\nis wrong.", hint="Do that."), 2, "plismbench: This is wrong. Do that.\n"),
        (Unavailable("Not there."), 3, "plismbench: Not there.\n"),
        (MemoryError("Unable to allocate 8 EiB"), 3, "plismbench: This machine has too little free memory. Ask for"),
        (ImportError("libarrow.so: failed to map segment from shared object"), 3, "plismbench: This machine has too"),
        (GateFailed("Worse\x1b[2J."), 1, "plismbench: Worse�[2J.\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(monkeypatch, run, error, code, line):
    def fail(**_):
        raise error

    monkeypatch.setattr(app, "app", fail)
    outcome = run()
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(line)
    assert outcome.err.count("\n") == 1


def test_ctrl_c_is_one_line_and_its_own_exit_code(monkeypatch, run):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("plismbench.extractors.registry.registered", interrupt)
    outcome = run("models")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.error.startswith("plismbench: Interrupted. What was finished is kept")


@pytest.mark.parametrize("module", ["plismbench.cli.app", "plismbench.cli.extract", "typer"])
def test_ctrl_c_while_it_starts_is_one_line_too(module):
    code = f"""
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from plismbench.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "plismbench: Interrupted.\n")


def test_ctrl_c_between_start_and_command(monkeypatch, run):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "app", interrupt)
    outcome = run()
    assert outcome.code == 130
    assert outcome.error.startswith("plismbench: Interrupted. What was finished is kept")


def test_a_bug_keeps_its_traceback_and_is_no_failed_gate(monkeypatch, run):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(app, "app", fail)
    outcome = run()
    assert (outcome.code, outcome.out) == (70, "")
    assert outcome.err.startswith("Traceback")
    assert outcome.err.endswith("ZeroDivisionError\n")


def test_a_package_that_is_broken_is_no_failed_gate():
    code = "import sys; sys.modules['typer'] = None; from plismbench.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 70
    assert "import of typer halted" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["extrct"], "No such command 'extrct'. Did you mean 'extract', 'export'? See `plismbench --help`."),
        (["extract"], "Missing option '--model'. See `plismbench extract --help`."),
        (["evaluate", "--no-such"], "No such option: --no-such. See `plismbench evaluate --help`."),
        (["evaluate", "--existing", "x\ny"], "is not one of 'skip', 'replace', 'error'. See `plismbench evaluate"),
        (["evaluate", "--memory", "0"], "should be greater than or equal to 0.1. See `plismbench evaluate --help`."),
        (["evaluate", "--dataset"], "Option '--dataset' requires an argument. See `plismbench --help`."),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(run, arguments, line):
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert line in outcome.error
    assert outcome.err.count("\n") == 1


def test_no_command_is_misuse_and_help(run):
    outcome = run("submit")
    assert (outcome.code, outcome.out) == (2, "")
    assert "\n  plismbench submit pack my-model\n" in outcome.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["leaderboard"], ["leaderboard", "--format=json"], ["evaluate", "--dataset=none-such"]]
)
def test_a_reader_that_has_enough_is_no_failed_gate(arguments, tmp_path):
    """``plismbench leaderboard | head -1``: the exit code that a shell gives whom SIGPIPE ends, and no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "plismbench", *arguments]
    kept = {"stderr": writer} if arguments[0] == "evaluate" else {"stderr": subprocess.PIPE}
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            command, stdout=closed, text=True, env=os.environ | {"PLISMBENCH_ROOT": str(tmp_path)}, **kept
        )
    assert done.returncode == 141
    assert (done.stderr or "") in ("", "No results here yet: this is the published table.\n")


def test_who_interrupts_does_not_wait_for_the_process_to_be_taken_apart():
    code = "import atexit, time; from plismbench.cli import app; atexit.register(time.sleep, 60); app._leave(130)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 130
