"""A result as one archive, and its files out of one, each as long and as it was sealed."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from plismbench.errors import RejectedSubmission, few_of
from plismbench.storage import write_bytes
from plismbench.workspace import MANIFEST_FILE, RUN_FILE, TABLE_FILES

SUBMISSION_FORMAT = "plismbench.submission/1"
SUBMISSION_FILE = "submission.json"
SUFFIX = ".plismbench.zip"

RESULT_FILES = (*TABLE_FILES.values(), RUN_FILE)
FILES = (*RESULT_FILES, MANIFEST_FILE)

_LARGEST = 64 * 2**20  # bytes of a member: cores.parquet of all PLISM takes 2 MB
_NAMED = 3  # of the files that are none of ours: a checkpoint has hundreds
_DATE = (1980, 1, 1, 0, 0, 0)  # the same result gives the same archive


def write_archive(path: Path, files: Mapping[str, bytes], signature: str) -> None:
    """Writes an archive of ``FILES`` and a seal: schema, signature and the SHA-256 of each."""
    seal = {
        "schema": SUBMISSION_FORMAT,
        "signature": signature,
        "sha256": {name: hashlib.sha256(files[name]).hexdigest() for name in FILES},
    }
    content = {SUBMISSION_FILE: (json.dumps(seal, indent=2) + "\n").encode(), **{name: files[name] for name in FILES}}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    write_bytes(path, packed.getvalue())


def read_archive(path: Path) -> tuple[str, dict[str, bytes]]:
    """The signature on an archive and its files, if nothing in it differs from its seal.

    Nothing is unpacked: a member is known by its exact name, and none may be there besides, so no
    name can lead anywhere.

    Raises:
        RejectedSubmission: with the reason.
    """
    files = _members(path)
    try:
        seal = json.loads(files.pop(SUBMISSION_FILE))
        schema, signature, sums = seal["schema"], seal["signature"], dict(seal["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise RejectedSubmission(f"{SUBMISSION_FILE} cannot be read: {error}.") from error
    if schema != SUBMISSION_FORMAT:
        raise RejectedSubmission(f"It is {schema}; this version reads {SUBMISSION_FORMAT}.")
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != sums.get(name):
            raise RejectedSubmission(f"{name} is not what was packed: its checksum differs.")
    return str(signature), files


def _members(path: Path) -> dict[str, bytes]:
    expected = {SUBMISSION_FILE, *FILES}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist()]
            if {member.compress_type for member in archive.infolist()} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise RejectedSubmission("It is packed otherwise than by `plismbench submit pack`.")
            unknown, missing = sorted(set(names) - expected), sorted(expected - set(names))
            if unknown or missing or len(names) > len(expected):
                holds = [f"holds {few_of(list(map(repr, unknown)), _NAMED)}"] if unknown else []
                lacks = [f"lacks {', '.join(missing)}"] if missing else []
                raise RejectedSubmission(f"It {' and '.join(holds + lacks) or 'holds a file twice'}.")
            files = {}
            for name in names:
                with archive.open(name) as member:
                    files[name] = member.read(_LARGEST + 1)  # whatever the archive says of its size
                if len(files[name]) > _LARGEST:
                    raise RejectedSubmission(f"{name} is larger than {_LARGEST:,} bytes.")
            return files
    except FileNotFoundError as error:
        raise RejectedSubmission("There is no such file.") from error
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise RejectedSubmission(f"It cannot be read as an archive: {error}.") from error
