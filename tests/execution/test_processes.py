import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import small_work

from plismbench.execution.executor import ItemProgress
from plismbench.execution.processes import ProcessExecutor

TESTS = str(Path(__file__).parent.parent)


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_every_item_is_done_once_by_processes_that_know_their_places():
    outcomes = list(ProcessExecutor(["a", "b"]).run(small_work.squares, range(20)))
    assert sorted(square for square, _, _ in outcomes) == [number**2 for number in range(20)]
    assert {place for _, place, _ in outcomes} <= {"a", "b"}
    assert os.getpid() not in {pid for _, _, pid in outcomes}


def test_processes_work_side_by_side(tmp_path):
    assert sorted(ProcessExecutor("ab").run(partial(small_work.meeting, str(tmp_path)), range(4))) == [0, 1, 2, 3]
    assert len(list(tmp_path.iterdir())) == 2


def test_how_far_an_item_is_comes_home_before_its_outcome():
    given = list(ProcessExecutor("a").run(small_work.counting_down, "xy"))
    assert given == [
        *(ItemProgress("x", n) for n in (1, 2, 3)),
        "x done",
        *(ItemProgress("y", n) for n in (1, 2, 3)),
        "y done",
    ]


def test_no_more_processes_than_items():
    assert list(ProcessExecutor("abc").run(small_work.squares, [])) == []
    assert [place for _, place, _ in ProcessExecutor("abc").run(small_work.squares, [5])] == ["a"]


def test_an_error_comes_home_with_its_traceback():
    with pytest.raises(ValueError, match="no 3") as caught:
        list(ProcessExecutor("a").run(small_work.refusing, range(9)))
    assert "in refuse" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="no a"):
        list(ProcessExecutor("a").run(small_work.refusing_to_start, range(9)))


def test_an_error_that_does_not_travel_is_described():
    with pytest.raises(RuntimeError, match="Unpicklable: odd"):
        list(ProcessExecutor("a").run(small_work.raising_unpicklable, range(9)))


def test_an_error_is_not_lost_when_its_process_ends_before_its_last_wish_is_heard():
    outcomes = ProcessExecutor("a").run(small_work.failing_after_asking, range(9))
    pid, item = next(outcomes)
    assert item == 0
    wait_until(lambda: not is_alive(pid))
    with pytest.raises(ValueError, match="no more"):
        next(outcomes)


def test_a_killed_process_is_noticed_and_the_others_end():
    with pytest.raises(ChildProcessError, match="worker process on 'a' was killed by SIGKILL"):
        list(ProcessExecutor("a").run(small_work.dying, range(9)))


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_ends_by_itself_is_noticed(code):
    with pytest.raises(ChildProcessError, match=f"worker process on 'a' ended with exit code {code}"):
        list(ProcessExecutor("a").run(partial(small_work.leaving, code), range(9)))


def test_stopping_early_ends_the_processes():
    outcomes = ProcessExecutor("ab").run(small_work.squares, range(1000))
    pids = {next(outcomes)[2] for _ in range(50)}
    outcomes.close()
    assert pids
    wait_until(lambda: not any(map(is_alive, pids)))


def in_a_terminal(code):
    """A process with a group of its own: Ctrl-C reaches it and all that it has started."""
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_a_program_that_ends_in_the_middle_waits_for_no_process():
    code = f"""
import sys
sys.path.insert(0, {TESTS!r})
import small_work
from plismbench.execution.processes import ProcessExecutor
if __name__ == "__main__":
    outcomes = ProcessExecutor("a").run(small_work.squares, range(9))
    next(outcomes)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_first_one(tmp_path, blow):
    code = f"""
import sys
from functools import partial
sys.path.insert(0, {TESTS!r})
import small_work
from plismbench.execution.processes import ProcessExecutor
if __name__ == "__main__":
    list(ProcessExecutor("ab").run(partial(small_work.sleeping, {str(tmp_path)!r}), range(9)))
"""
    main = in_a_terminal(code)
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        assert all(map(is_alive, pids))
    finally:
        os.killpg(main.pid, blow) if blow is signal.SIGINT else main.send_signal(blow)
        _, told = main.communicate(timeout=10)
    wait_until(lambda: not any(map(is_alive, pids)))
    assert main.returncode == -blow
    assert told.count("Traceback") == (blow is signal.SIGINT)  # of the first process, and of no other


def test_ctrl_c_while_a_process_still_imports_is_heard_by_the_first_one_only(tmp_path):
    (tmp_path / "late.py").write_text(f"""
import multiprocessing, os, pathlib, time
if multiprocessing.current_process().name != "MainProcess":
    pathlib.Path({str(tmp_path)!r}, f"{{os.getpid()}}.pid").touch()
    time.sleep(60)
def start(place): ...
""")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import late
from plismbench.execution.processes import ProcessExecutor
if __name__ == "__main__":
    list(ProcessExecutor("ab").run(late.start, range(9)))
"""
    main = in_a_terminal(code)
    try:
        wait_until(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
        for pid in pids:
            os.kill(pid, signal.SIGINT)
        time.sleep(0.2)
        assert all(map(is_alive, pids))
    finally:
        os.killpg(main.pid, signal.SIGINT)
        _, told = main.communicate(timeout=10)
    assert not any(map(is_alive, pids))
    assert main.returncode == -signal.SIGINT
    assert told.count("Traceback") == 1
