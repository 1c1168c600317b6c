"""A folder of one extractor's vectors."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from plismbench.dataset import Slide
from plismbench.embeddings.manifest import Manifest, read_manifest, write_manifest
from plismbench.embeddings.slide_file import Embeddings, read_metadata, read_slide, write_slide
from plismbench.errors import CorruptFile, FingerprintMismatch, MissingEmbeddings, ShapeMismatch, few_of
from plismbench.storage import folder_lock, storage_errors
from plismbench.workspace import MANIFEST_FILE


@dataclass(frozen=True)
class Replaced:
    """What something else left in a folder.

    Args:
        manifest: the text of its manifest.
        files: the other files, with when each was written (ns); one that was written since is another's.
    """

    manifest: str
    files: Mapping[str, int]

    @classmethod
    def seen_in(cls, folder: Path) -> Self:
        """What is there now."""
        files = {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}
        del files[MANIFEST_FILE]
        return cls((folder / MANIFEST_FILE).read_text(encoding="utf-8", errors="replace"), files)

    def drop(self, folder: Path) -> None:
        """Removes the files, but for those that another worker has written since, where locks do not work."""
        for name, written in self.files.items():
            with suppress(FileNotFoundError):
                if (folder / name).stat().st_mtime_ns == written:
                    (folder / name).unlink()


@dataclass(frozen=True)
class EmbeddingStore:
    """A folder of one extractor's vectors: ``manifest.json`` and ``<slide>.parquet``.

    A parquet file has columns ``x``, ``y`` (int32) and ``vector`` (dim float16), page checksums,
    and the identity of what made it, so that a file from another store is noticed.

    Args:
        folder: where it is.
        manifest: what made the vectors.
        digests: of the files that each slide is made from, where they are known; kept with its vectors.
        replaces: what something else made that the folder holds; it goes when the first slide is written.
    """

    folder: Path
    manifest: Manifest
    digests: Mapping[Slide, str] = field(default_factory=dict)
    replaces: Replaced | None = None

    @classmethod
    def open(cls, folder: Path) -> "EmbeddingStore":
        """The store in a folder.

        Raises:
            CorruptFile: if there is no readable manifest.
        """
        return cls(folder, read_manifest(folder / MANIFEST_FILE))

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> "EmbeddingStore":
        """The store in a folder; nothing is written before its first slide.

        Raises:
            FingerprintMismatch: if it holds vectors that something else made.
        """
        if (folder / MANIFEST_FILE).exists():
            store = cls.open(folder)
            found = store.manifest.identity
            same = found["extractor"] == manifest.identity["extractor"]
            hint = "another --root, or drop what is there with --existing replace."
            hint = f"Use {hint}" if same else f"Its weights, settings or code were others: use {hint}"
            manifest.require_same(found, folder, hint=hint)
            moved = replace(  # as files do
                store.manifest, model_option=manifest.model_option, dataset_option=manifest.dataset_option
            )
            return replace(store, manifest=moved)
        return cls(folder, manifest)

    def with_tiles_of(self, commits: Mapping[str, str]) -> Self:
        """This store, ready for vectors of tiles at one commit of each repository; written with the next slide.

        Raises:
            FingerprintMismatch: if it has vectors of another commit.
        """
        return replace(self, manifest=self.manifest.with_tiles_of(commits, self.folder))

    def require_made_from(self, digests: Mapping[Slide, str]) -> None:
        """Checks that the slides that are there were made from these files; one that does not say passes.

        Args:
            digests: of the files of each slide.

        Raises:
            FingerprintMismatch: naming the slides that were made from others.
            CorruptFile: if a slide cannot be read.
        """
        made_from = self.made_from(filter(self.has, digests))
        unlike = [str(slide) for slide, digest in made_from.items() if digest != digests[slide]]
        if unlike:
            raise FingerprintMismatch(
                f"The files of {few_of(unlike)} are not those that the vectors in {self.folder} were made from.",
                hint=f"{'Import' if self.manifest.origin else 'Extract'} these slides again with --existing replace;"
                " another data set or model needs a name or --root of its own.",
            )

    def made_from(self, slides: Iterable[Slide]) -> dict[Slide, str]:
        """Digest of the files that each slide was made from; without slides that do not say.

        Raises:
            CorruptFile: if a slide cannot be read.
        """
        digests = {slide: self._metadata(slide).get("files", "") for slide in slides}
        return {slide: digest for slide, digest in digests.items() if digest}

    def path(self, slide: Slide) -> Path:
        """Where a slide's vectors are."""
        return self.folder / f"{slide}.parquet"

    def has(self, slide: Slide) -> bool:
        """Whether a slide is there; a file appears only when it is whole."""
        return self.path(slide).exists()

    def require(self, slides: tuple[Slide, ...]) -> None:
        """Checks that every slide is there.

        Raises:
            MissingEmbeddings: naming those that are not.
        """
        absent = [str(slide) for slide in slides if not self.has(slide)]
        if absent:
            raise MissingEmbeddings(
                f"'{self.manifest.name}' lacks {len(absent)} of {len(slides)} slides: {few_of(absent)}.",
                hint=f"Run `plismbench extract {self.manifest.choice}` for them, or evaluate fewer with --slides.",
            )

    def claim(self) -> None:
        """Makes the folder this store's own, before the first slide: what it replaces goes.

        Raises:
            FingerprintMismatch: if something else has begun to write there since the store was opened.
            CorruptFile: if the manifest that is there cannot be read, and is not replaced.
            StorageFailure: if it cannot be written.
        """
        with folder_lock(self.folder):
            self._claim()

    def write(self, embeddings: Embeddings) -> None:
        """Writes one slide, whole or not at all.

        Raises:
            ShapeMismatch: if the vectors have another length than the manifest says.
            FingerprintMismatch: as `claim` does.
            StorageFailure: if it cannot be written.
        """
        self._check_dim(embeddings)
        metadata = self.manifest.identity | {"slide": str(embeddings.slide), "content": embeddings.digest()}
        if embeddings.slide in self.digests:
            metadata["files"] = self.digests[embeddings.slide]
        with folder_lock(self.folder):  # over both: another command may replace this store between them
            self._claim()
            write_slide(self.path(embeddings.slide), embeddings, metadata)

    def read(self, slide: Slide) -> Embeddings:
        """One slide's vectors, bit for bit as they were written.

        Raises:
            MissingEmbeddings: if the slide is not there.
            CorruptFile: if the file is truncated or damaged.
            FingerprintMismatch: if something else made it.
            ShapeMismatch: if its vectors have another length than the manifest says.
        """
        self.require((slide,))
        path = self.path(slide)
        again = self._again(slide)
        identity, xy, vectors = read_slide(path, hint=again)
        self.manifest.require_same(identity, path, hint=again)
        if identity["slide"] != str(slide):
            raise CorruptFile(f"{path} holds slide {identity['slide']}.", hint=again)
        embeddings = Embeddings(slide, xy, vectors)
        self._check_dim(embeddings)
        return embeddings

    def contents(self, slides: Iterable[Slide]) -> dict[str, str]:
        """Digest of the vectors of each slide, sixteen hex digits, by its name: what a result is computed from.

        Raises:
            CorruptFile: if a file cannot be read, or does not say.
        """
        return {str(slide): self._metadata(slide)["content"][:16] for slide in sorted(slides)}

    def _claim(self) -> None:
        path, manifest = self.folder / MANIFEST_FILE, self.manifest
        with storage_errors(path):
            there = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
            if there is not None and (self.replaces is None or there != self.replaces.manifest):
                found = read_manifest(path)
                hint = "Another command writes there: use another --root, or a name of its own for one of the models."
                manifest.require_same(found.identity, self.folder, hint=hint)
                if found.origin != manifest.origin:
                    words = f"{self.folder} holds vectors of {found.origin or 'an extraction'}"
                    raise FingerprintMismatch(f"{words}, not of {manifest.origin or 'this extraction'}.", hint=hint)
                tiles = found.with_tiles_of(manifest.tiles_commit, self.folder).tiles_commit
                manifest = replace(manifest, tiles_commit=tiles)
                if manifest == found:
                    return
            elif self.replaces is not None:
                self.replaces.drop(self.folder)
            write_manifest(path, manifest)

    def _metadata(self, slide: Slide) -> dict[str, str]:
        """What made the vectors of a slide, as its file says."""
        return read_metadata(self.path(slide), hint=self._again(slide))

    def _again(self, slide: Slide) -> str:
        return f"Extract it again: `plismbench extract {self.manifest.choice} --slides {slide} --existing replace`."

    def _check_dim(self, embeddings: Embeddings) -> None:
        found, declared = embeddings.vectors.shape[1], self.manifest.dim
        if found != declared:
            raise ShapeMismatch(
                f"Vectors of {embeddings.slide} have dim {found}; '{self.manifest.name}' declares {declared}."
            )
