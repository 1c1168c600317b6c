"""What made the vectors of a store: one small JSON file beside them."""

import contextlib
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from plismbench.errors import CorruptFile, FingerprintMismatch
from plismbench.records import read_record
from plismbench.storage import write_text
from plismbench.workspace import MANIFEST_FILE

MANIFEST_FORMAT = "plismbench.manifest/1"
IMPORTED = "imported-"  # begins the fingerprint of vectors that no spec made


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What made the vectors of a store.

    Args:
        extractor: every field of the extractor's spec, as plain JSON.
        fingerprint: of the spec.
        dataset, revision: of the tiles.
        precision: of the forward pass.
        device, versions: where it ran first; they do not decide whether vectors fit together.
        origin: where vectors that were not extracted here came from.
        dataset_option: what ``--dataset`` took, if not the name.
        model_option: what ``--model`` took, if that is known and not the name: a file by its whole path.
        tiles_commit: the commit of each repository on the Hub that tiles were read from.
    """

    extractor: dict[str, Any]
    fingerprint: str
    dataset: str
    revision: str
    precision: str
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    origin: str = ""
    dataset_option: str = ""
    model_option: str = ""
    tiles_commit: dict[str, str] = field(default_factory=dict)
    schema: str = MANIFEST_FORMAT

    def __post_init__(self) -> None:
        _ = self.name, self.dim  # without them it is none

    @property
    def name(self) -> str:
        """Name of the extractor."""
        return str(self.extractor["name"])

    @property
    def choice(self) -> str:
        """The options of a command that say which extractor and data set this is."""
        pooling = self.extractor.get("pooling")
        pooled = ["--pooling", str(pooling)] if self.model_option and self.name.endswith(f"+{pooling}") else []
        model = ["--model", self.model_option or self.name, *pooled]
        return shlex.join([*model, "--dataset", self.dataset_option or self.dataset])

    @property
    def portable(self) -> Self:
        """This manifest without what only says where files are on this machine."""
        return replace(self, dataset_option="", model_option="")

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.extractor["dim"])

    @property
    def identity(self) -> dict[str, str]:
        """What must be equal for vectors to belong together."""
        return {
            "extractor": f"{self.name} ({self.fingerprint})",
            "tiles": f"{self.dataset}@{self.revision}",
            "precision": self.precision,
        }

    def require_same(self, found: dict[str, str], where: object, *, hint: str) -> None:
        """Checks that vectors described by ``found`` belong with this manifest.

        Raises:
            FingerprintMismatch: naming every part that differs, with both values.
        """
        differences = [
            f"{part} {found.get(part, 'unknown')}, not {wanted}"
            for part, wanted in self.identity.items()
            if found.get(part) != wanted
        ]
        if differences:
            raise FingerprintMismatch(f"{where} has {'; '.join(differences)}.", hint=hint)

    def with_tiles_of(self, commits: Mapping[str, str], where: object) -> Self:
        """This manifest after more tiles, of one commit of each repository.

        Raises:
            FingerprintMismatch: if it has tiles of another commit of one of them.
        """
        for repo, commit in commits.items():
            before = self.tiles_commit.get(repo, commit)
            if before != commit:
                raise FingerprintMismatch(
                    f"{where} has tiles of {repo} at commit {before[:12]}, not {commit[:12]}.",
                    hint="Extract all of its slides again with --existing replace, or use another --root.",
                )
        return replace(self, tiles_commit=self.tiles_commit | dict(commits))


def known_commits(stores: Iterable[Path]) -> dict[str, str]:
    """The commit of each Hub repository that stores have tiles of; where they differ, that of the last store.

    Args:
        stores: folders; one without a readable manifest says nothing.
    """
    known: dict[str, str] = {}
    for store in stores:
        with contextlib.suppress(CorruptFile):
            known |= read_manifest(store / MANIFEST_FILE).tiles_commit
    return known


def manifest_text(manifest: Manifest) -> str:
    """A manifest as a file has it."""
    return json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n"


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Writes a manifest, whole or not at all."""
    write_text(path, manifest_text(manifest))


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        CorruptFile: if it is missing, damaged or of another version.
    """
    return read_record(path, Manifest, MANIFEST_FORMAT, hint="Extract again with --existing replace.")
