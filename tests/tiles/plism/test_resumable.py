import subprocess
import sys
import threading

import pytest

from plismbench.tiles.plism.resumable import begun, continuing


def test_a_file_that_is_continued_keeps_what_was_written_and_appears_whole(tmp_path):
    path = tmp_path / "new/folder/shard"
    with pytest.raises(ZeroDivisionError), continuing(path) as part:
        part.write(b"first ")
        raise ZeroDivisionError
    assert not path.exists()
    with continuing(path) as part:
        part.write(b"second")
        assert not path.exists()
    assert path.read_bytes() == b"first second"
    assert [found.name for found in path.parent.iterdir()] == ["shard"]
    with continuing(path) as part:
        assert part is None


def test_without_locks_each_has_a_file_of_its_own(tmp_path, no_locks):
    path = tmp_path / "shard"
    opened, gate = [], threading.Barrier(2)

    def work():
        with continuing(path) as part:
            opened.append(part.name)
            gate.wait()
            for piece in (b"wh", b"ole"):
                part.write(piece)
                gate.wait()

    others = [threading.Thread(target=work) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert len(set(opened)) == 2
    assert path.read_bytes() == b"whole"
    assert [found.name for found in tmp_path.iterdir()] == ["shard"]


LEFT_BEHIND = """
import os, signal, sys
from pathlib import Path
import fcntl
def refuse(*_): raise OSError(38, "Function not implemented")
fcntl.flock = refuse
from plismbench.tiles.plism.resumable import continuing
with continuing(Path(sys.argv[1])) as part:
    part.write(b"first ")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_without_locks_what_a_killed_process_left_is_continued_by_one(tmp_path, no_locks):
    path = tmp_path / "shard"
    killed = subprocess.run([sys.executable, "-c", LEFT_BEHIND, str(path)], check=False)
    assert killed.returncode == -9
    assert begun(path) == 6
    with continuing(path) as part:
        assert begun(path) == 0  # it has an owner again
        part.write(b"second")
    assert path.read_bytes() == b"first second"
    assert [found.name for found in tmp_path.iterdir()] == ["shard"]


def test_what_is_begun_is_counted(tmp_path):
    assert begun(tmp_path / "shard") == 0
    with pytest.raises(ZeroDivisionError), continuing(tmp_path / "shard") as part:
        part.write(b"first ")
        raise ZeroDivisionError
    assert begun(tmp_path / "shard") == 6


def test_a_file_is_continued_by_one_at_a_time(tmp_path):
    path = tmp_path / "shard"
    seen = []

    def wait():
        with continuing(path) as part:
            seen.append(part)

    with continuing(path) as part:
        other = threading.Thread(target=wait)
        other.start()
        other.join(0.2)
        assert other.is_alive()
        part.write(b"whole")
    other.join()
    assert seen == [None]
    assert path.read_bytes() == b"whole"
