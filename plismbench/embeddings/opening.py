"""Stores that are opened: those of some models, and one that slides are about to be written to."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from plismbench.dataset import Slide
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.store import EmbeddingStore, Replaced
from plismbench.errors import (
    AlreadyExists,
    CorruptFile,
    DuplicateName,
    FingerprintMismatch,
    MissingEmbeddings,
    UnknownName,
    few_of,
)
from plismbench.storage import require_writable
from plismbench.workspace import MANIFEST_FILE, Existing, Workspace


@dataclass(frozen=True)
class Opened:
    """A store and what was asked of it.

    Args:
        store: where the vectors go; nothing is written yet, and nothing that it replaces is gone.
        todo: slides to write.
        skipped: slides that are there, and kept.
    """

    store: EmbeddingStore
    todo: tuple[Slide, ...]
    skipped: tuple[Slide, ...]


def open_for_writing(
    folder: Path,
    manifest: Manifest,
    slides: tuple[Slide, ...],
    existing: Existing,
    digests: Mapping[Slide, str] | None = None,
) -> Opened:
    """Opens or begins a store for some slides.

    Args:
        folder: of the store.
        manifest: of what will make the vectors.
        slides: those asked for.
        existing: what to do with those that are there.
        digests: of the files of these slides and, where they are known, of others.

    Raises:
        AlreadyExists: if a slide is there and ``existing`` is ``error``.
        CorruptFile: if its manifest cannot be read, and it is not replaced.
        FingerprintMismatch: if the store holds vectors that something else made, and it is not
            replaced as a whole; if a slide that stays was made from other files.
        StorageFailure: if there is something to write, and the store cannot be written.
    """
    replaces_store = existing is Existing.REPLACE and _replaces_store(folder, manifest, slides)
    digests = digests or {}
    if replaces_store:
        store = EmbeddingStore(folder, manifest, digests, Replaced.seen_in(folder))
    else:
        store = replace(EmbeddingStore.create(folder, manifest), digests=digests)
    there = tuple(slide for slide in slides if store.has(slide))
    if there and existing is Existing.ERROR:
        raise AlreadyExists(
            f"'{manifest.name}' has {len(there)} of these slides already: {few_of(there)}.",
            hint="Keep them with --existing skip, or drop them with --existing replace.",
        )
    skipped = there if existing is Existing.SKIP else ()
    todo = tuple(slide for slide in slides if slide not in skipped)
    if not replaces_store:
        store.require_made_from({slide: digest for slide, digest in digests.items() if slide not in todo})
    if todo:
        require_writable(folder)
        store = store.with_tiles_of(manifest.tiles_commit)
    return Opened(store, todo, skipped)


def extracted_stores(workspace: Workspace, names: Sequence[str], *, hint: str) -> list[EmbeddingStore]:
    """The stores of some models, in the order of their names; of all that are extracted if none is named.

    Raises:
        MissingEmbeddings: if nothing is extracted, with the hint.
        UnknownName: if one is not, with the hint.
        DuplicateName: if a folder is not its model's own, as a copy is.
        CorruptFile: if a manifest cannot be read.
    """
    extracted = list(workspace.extracted())
    if not extracted:
        raise MissingEmbeddings(f"No embeddings of '{workspace.dataset}' under {workspace.root}.", hint=hint)
    for name in names:
        if workspace.embeddings(name) not in extracted:
            raise UnknownName("extracted model", name, [unquote(folder.name) for folder in extracted], hint=hint)
    folders = [workspace.embeddings(name) for name in names] or extracted
    stores = [EmbeddingStore.open(folder) for folder in folders]
    for store in stores:
        own = workspace.embeddings(store.manifest.name)
        if store.folder != own:
            raise DuplicateName(
                f"{store.folder} holds vectors of '{store.manifest.name}', whose own folder is '{own.name}'.",
                hint="Move it elsewhere, or rename the folder back.",
            )
    return stores


def _replaces_store(folder: Path, manifest: Manifest, slides: tuple[Slide, ...]) -> bool:
    """Whether something else made a store; an error if dropping it would lose slides not asked for."""
    if not (folder / MANIFEST_FILE).exists():
        return False
    lost = sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in map(str, slides))
    with contextlib.suppress(CorruptFile):
        store = EmbeddingStore.open(folder)
        if store.manifest.identity == manifest.identity:
            with contextlib.suppress(FingerprintMismatch):
                store.with_tiles_of(manifest.tiles_commit)
                return not lost and store.manifest.origin != manifest.origin
    if lost:
        raise FingerprintMismatch(
            f"{folder} was made by something else; replacing it would lose {len(lost)} slides that are not"
            f" asked for: {few_of(lost)}.",
            hint="Ask for all of its slides, remove those that are gone for good, or use another --root.",
        )
    return True
