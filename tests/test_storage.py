import errno
import fcntl
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from plismbench.errors import InvalidInput, StorageFailure
from plismbench.storage import folder_lock, remove_folder, require_writable, write_text, writing


def test_of_a_link_the_file_is_written(tmp_path):
    write_text(tmp_path / "kept.json", "old")
    (tmp_path / "link.json").symlink_to("kept.json")
    write_text(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "kept.json").read_text() == "new"


def test_no_pipe_or_device_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InvalidInput, match=rf"{path} is a pipe or a device, not a file\."):
            write_text(path, "")
    assert not (tmp_path / "pipe").is_file()
    assert not Path("/dev/null").is_file()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    before = os.umask(0o027)
    write_text(path, "first")
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640  # others may read, as the umask allows
    with pytest.raises(RuntimeError), writing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "The disk is full"), (errno.EROFS, "Read-only file system")]
)
def test_a_full_or_read_only_disk_is_one_sentence(tmp_path, code, words):
    with pytest.raises(StorageFailure, match=words) as caught, writing(tmp_path / "x"):
        raise OSError(code, {errno.ENOSPC: "No space left on device", errno.EROFS: "Read-only file system"}[code])
    assert "--root" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_root_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailure, match="Not a directory"):
        require_writable(tmp_path / "file" / "root")
    require_writable(tmp_path / "root/deep/er")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from plismbench.storage import writing
with writing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_but_not_what_is_being_written(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path / "x")], check=False)
    assert killed.returncode == -9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    theirs = tmp_path / ".download.part"  # of another program
    theirs.touch()
    os.utime(theirs, (0, 0))
    with writing(tmp_path / "mine") as temporary:
        write_text(tmp_path / "another", "")
        assert set(tmp_path.iterdir()) == {temporary, tmp_path / "another", theirs}
    assert set(tmp_path.iterdir()) == {tmp_path / "mine", tmp_path / "another", theirs}


def test_who_changes_a_folder_waits_for_its_turn(tmp_path):
    turns = []

    def take(name):
        with folder_lock(tmp_path / "new"):
            turns.append(name)
            time.sleep(0.05)
            turns.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


def test_what_another_machine_writes_is_swept_only_when_it_is_old(tmp_path):
    theirs = tmp_path / ".plismbench-elsewhere-x.part"
    theirs.touch()  # its lock is not seen here
    write_text(tmp_path / "mine", "")
    assert theirs.exists()
    os.utime(theirs, (0, time.time() - 4000))
    with theirs.open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        write_text(tmp_path / "mine", "")
        assert theirs.exists()
    write_text(tmp_path / "mine", "")
    assert list(tmp_path.iterdir()) == [tmp_path / "mine"]


def test_what_another_user_writes_keeps_nobody_from_writing(tmp_path, monkeypatch):
    theirs = tmp_path / ".plismbench-elsewhere-x.part"
    theirs.touch()
    opened = Path.open

    def refuse(path, mode):  # as the system would; tests may run as root, whom nothing is refused
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with writing(tmp_path / "mine"):
        monkeypatch.setattr(Path, "open", opened)
    assert set(tmp_path.iterdir()) == {theirs, tmp_path / "mine"}


def test_removing_a_folder_that_is_not_there_is_fine(tmp_path):
    write_text(tmp_path / "a" / "b", "")
    remove_folder(tmp_path / "a")
    remove_folder(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_that_is_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    make, made = tempfile.mkstemp, []

    def make_and_lose_the_first(**options):
        mine = make(**options)
        made.append(mine)
        if len(made) == 1:
            write_text(tmp_path / "another", "")
        return mine

    monkeypatch.setattr(tempfile, "mkstemp", make_and_lose_the_first)
    write_text(tmp_path / "a.txt", "whole")
    assert len(made) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "another"]
    assert (tmp_path / "a.txt").read_text() == "whole"
