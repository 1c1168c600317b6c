"""Every path that plismbench reads or writes.

ROOT/<dataset>/tiles/<layout>/<revision>/                   downloaded tiles, and the index of what is published
ROOT/<dataset>/embeddings/<extractor>/manifest.json         what made the vectors
ROOT/<dataset>/embeddings/<extractor>/efficiency.json       how fast it was
ROOT/<dataset>/embeddings/<extractor>/<slide>.parquet       one slide's vectors
ROOT/<dataset>/results/<extractor>/<selection>/             {pairs,cores,summary,draws}.parquet, run.json
ROOT/<dataset>/results/<extractor>/<selection>/manifest.json what made the vectors of a result that was added
ROOT/<dataset>/results/<extractor>/<selection>/parts/       pairs of an evaluation under way
ROOT/<dataset>/report.html
ROOT/checks/<extractor>.json                                vectors of a few demo tiles, kept by `models check --record`
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from plismbench.errors import InvalidInput
from plismbench.storage import folder_lock

TABLE_FILES = {name: f"{name}.parquet" for name in ("pairs", "cores", "summary", "draws")}
RUN_FILE = "run.json"
PARTS_FOLDER = "parts"
MANIFEST_FILE = "manifest.json"
EFFICIENCY_FILE = "efficiency.json"

_LONGEST_NAME = 200  # of the 255 bytes that file systems allow: there are endings to come


class Existing(StrEnum):
    """What to do with work that is there already."""

    SKIP = "skip"
    REPLACE = "replace"
    ERROR = "error"


@dataclass(frozen=True)
class Workspace:
    """The part of one root folder that belongs to one data set."""

    root: Path
    dataset: str

    @property
    def home(self) -> Path:
        """Everything of this data set."""
        return self.root / self.dataset

    def tiles(self, layout: str, revision: str) -> Path:
        """Downloaded tiles of one layout and revision."""
        return self.home / "tiles" / layout / folder_name(revision)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.home / "report.html"

    def embeddings(self, extractor: str) -> Path:
        """One extractor's store."""
        return self.home / "embeddings" / folder_name(extractor)

    def results(self, extractor: str, selection: str) -> Path:
        """One extractor's results on one selection of slides and tiles."""
        return self.home / "results" / folder_name(extractor) / selection

    def extracted(self) -> Iterator[Path]:
        """Stores that have a manifest, by name."""
        yield from (path.parent for path in sorted(self.home.glob(f"embeddings/*/{MANIFEST_FILE}")))

    def evaluated(self) -> Iterator[Path]:
        """Result folders that are whole, by name: ``run.json`` is written last. None changes while it is looked at."""
        for folder in sorted(self.home.glob("results/*/*/")):
            if not os.access(folder, os.R_OK | os.X_OK):
                continue  # another user's own, or gone meanwhile
            with folder_lock(folder, shared=True):  # one that is being replaced is whole in a moment
                if (folder / RUN_FILE).exists():
                    yield folder


def default_root() -> Path:
    """``$XDG_DATA_HOME/plismbench``, or ``~/.local/share/plismbench``: the same from any folder.

    Raises:
        InvalidInput: if nobody has that home.
    """
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    try:
        return Path(data).expanduser() / "plismbench"
    except RuntimeError as error:
        raise InvalidInput(f"Nobody's home is that of {data}.", hint="Name a folder with --root.") from error


def check_record(root: Path, extractor: str) -> Path:
    """Where the vectors that an extractor once gave for a few demo tiles are kept."""
    return root / "checks" / f"{folder_name(extractor)}.json"


def folder_name(extractor: str) -> str:
    """A name that may hold ``:`` and ``/`` (``timm:resnet18``) as one portable folder name.

    Percent-encoded, so different names stay different; a leading dot is encoded too. What would be
    longer than file systems allow ends in a digest instead.
    """
    encoded = re.sub(r"^\.", "%2E", quote(extractor, safe=" @+=,()[]"))
    if len(encoded) <= _LONGEST_NAME:
        return encoded
    digest = hashlib.sha256(extractor.encode()).hexdigest()[:16]
    return f"{encoded[: _LONGEST_NAME - 17]}-{digest}"
