import json
import struct
import zipfile

import pytest
from submission_files import forge, make_submission, members

from plismbench.errors import RejectedSubmission
from plismbench.submissions.archive import FILES, SUBMISSION_FORMAT, read_archive, write_archive

CONTENT = {name: name.encode() * 10 for name in FILES}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    write_archive(path, CONTENT, "s")
    return path


def test_what_is_packed_comes_out(archive):
    assert read_archive(archive) == ("s", CONTENT)


def test_the_same_result_gives_the_same_bytes(archive, tmp_path):
    write_archive(tmp_path / "b.zip", CONTENT, "s")
    assert (tmp_path / "b.zip").read_bytes() == archive.read_bytes()


def test_a_real_one_is_small(tmp_path):
    path, _ = make_submission(tmp_path)
    assert path.stat().st_size < 150_000
    assert json.loads(members(path)["submission.json"])["schema"] == SUBMISSION_FORMAT


@pytest.mark.parametrize("name", FILES)
def test_one_byte_changed_is_found_by_its_checksum(archive, name):
    forged = forge(archive, {name: CONTENT[name][:-1] + b"x"}, sealed=False)
    with pytest.raises(RejectedSubmission, match=f"{name} is not what was packed: its checksum differs"):
        read_archive(forged)


@pytest.mark.parametrize("name", [*FILES, "submission.json"])
def test_a_file_that_is_missing_is_named(archive, name):
    with pytest.raises(RejectedSubmission, match=f"lacks {name}"):
        read_archive(forge(archive, {name: None}, sealed=False))


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/etc/evil", "..\\evil", "evil/run.json", "evil.py", "pairs.parquet/"]
)
def test_no_member_can_lead_anywhere(archive, tmp_path, name):
    with pytest.raises(RejectedSubmission, match="holds "):
        read_archive(forge(archive, {name: b"evil"}, sealed=False))
    assert not list(tmp_path.parent.rglob("*evil*"))


def test_another_archive_is_told_in_a_line(archive, tmp_path):
    path = tmp_path / "checkpoint.pth"
    with zipfile.ZipFile(path, "w") as opened:
        for place in range(150):
            opened.writestr(f"data/{place:03}", b"")
    with pytest.raises(RejectedSubmission) as raised:
        read_archive(path)
    message = raised.value.message
    assert message.startswith(
        "It holds 'data/000', 'data/001', 'data/002' and 147 more and lacks cores.parquet, draws."
    )
    assert "data/003" not in message
    forged = forge(archive, dict.fromkeys("abc", b""), sealed=False)
    with pytest.raises(RejectedSubmission, match=r"It holds 'a', 'b', 'c'\."):
        read_archive(forged)


def test_a_file_twice(archive):
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("run.json", b"{}")
    with pytest.raises(RejectedSubmission, match="holds a file twice"):
        read_archive(archive)


def test_a_bomb_is_not_unpacked(archive, monkeypatch):
    monkeypatch.setattr("plismbench.submissions.archive._LARGEST", 1_000)
    forged = forge(archive, {"pairs.parquet": b"0" * 1_001}, sealed=False)
    with pytest.raises(RejectedSubmission, match=r"pairs.parquet is larger than 1,000 bytes"):
        read_archive(forged)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_pack_writes_is_unpacked(archive, method):
    """Damaged LZMA raises an error of its own, and may ask for gigabytes."""
    files = members(archive)
    with zipfile.ZipFile(archive, "w", method) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    with pytest.raises(RejectedSubmission, match="packed otherwise"):
        read_archive(archive)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "cannot be read as an archive"), (b"no archive", "cannot be read as an archive"), (None, "no such file")],
)
def test_no_archive(tmp_path, content, words):
    path = tmp_path / "a.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RejectedSubmission, match=words):
        read_archive(path)


def test_a_damaged_archive(archive):
    data = bytearray(archive.read_bytes())
    place = data.index(b"PK\x01\x02") - 20
    data[place] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(RejectedSubmission):
        read_archive(archive)


def test_a_locked_archive(archive):
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = data.index(mark) + offset
        data[place : place + 2] = struct.pack("<H", 1)
    archive.write_bytes(data)
    with pytest.raises(RejectedSubmission, match="cannot be read as an archive"):
        read_archive(archive)


@pytest.mark.parametrize(
    ("seal", "words"),
    [
        (b"[]", "cannot be read"),
        (b"{", "cannot be read"),
        (b'{"schema": "plismbench.submission/1"}', "cannot be read"),
        (b'{"schema": "plismbench.submission/9", "signature": "s", "sha256": {}}', "this version reads"),
        (b'{"schema": "plismbench.submission/1", "signature": "s", "sha256": 3}', "cannot be read"),
        (b'{"schema": "plismbench.submission/1", "signature": "s", "sha256": {}}', "its checksum differs"),
    ],
)
def test_a_seal_that_says_something_else(archive, seal, words):
    with pytest.raises(RejectedSubmission, match=words):
        read_archive(forge(archive, {"submission.json": seal}, sealed=False))
