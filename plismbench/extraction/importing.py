"""Vectors that plism-benchmark extracted, into a store, so that nothing need be extracted again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.embeddings.manifest import IMPORTED, Manifest
from plismbench.embeddings.opening import open_for_writing
from plismbench.embeddings.plism_benchmark import read_slide, slide_files
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import CorruptFile, FingerprintMismatch, MissingEmbeddings, few_of
from plismbench.extractors import registry
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.tiles.digests import digest_of
from plismbench.tiles.ids import require_tiles
from plismbench.workspace import Existing, Workspace


@dataclass(frozen=True)
class Import:
    """What is to be taken over.

    Args:
        store: where it goes.
        dataset: whose tiles they are.
        files: the slides to take over, and where each is.
        skipped: slides that are in the store already.
    """

    store: EmbeddingStore
    dataset: RegisteredDataset
    files: dict[Slide, Path]
    skipped: tuple[Slide, ...]

    def run(self) -> Iterator[Slide]:
        """Takes slide after slide over; each is in the store when it is yielded.

        Raises:
            CorruptFile: if a file is damaged, or has other tiles than the data set.
            NonFiniteValue: if float16 does not hold a vector: a value is not finite there, or all are too near 0.
        """
        for slide, path in self.files.items():
            found = read_slide(path, slide)
            n_tiles, expected = len(found.levels), self.dataset.tiles_per_slide
            if n_tiles != expected:
                raise CorruptFile(f"{path} has {n_tiles:,} tiles; a slide of '{self.dataset.name}' has {expected:,}.")
            places = zip(found.levels, found.embeddings.xy, strict=True)
            require_tiles(self.dataset, slide, (f"tile_{level}_{x}_{y}" for level, (x, y) in places), str(path))
            self.store.write(found.embeddings)
            yield slide


def plan_import(
    folder: Path,
    name: str,
    dataset: RegisteredDataset,
    slides: tuple[Slide, ...],
    workspace: Workspace,
    *,
    precision: Precision,
    existing: Existing,
) -> Import:
    """Finds the files and opens the store.

    Args:
        folder: of one extractor, or that of all with a folder ``name`` in it.
        name: what the vectors are called here; facts of a registered extractor of that name are kept with them.
        dataset: whose tiles they are.
        slides: those to take over.
        workspace: where the store is.
        precision: of the forward pass that made them; it enters the signature of results.
        existing: what to do with slides that are in the store.

    Raises:
        MissingEmbeddings: if the folder, or a slide, is not there.
        AlreadyExists: if a slide is in the store and ``existing`` is ``error``.
        FingerprintMismatch: if the store holds vectors that something else made, or a slide that the folder
            lacks, or that stays there and is another in the folder.
        StorageFailure: if the store cannot be written.
    """
    inner = folder / name
    found = slide_files(inner if inner.is_dir() else folder)
    absent = [str(slide) for slide in slides if slide not in found]
    if absent:
        raise MissingEmbeddings(
            f"{folder} lacks {len(absent)} of {len(slides)} slides: {few_of(absent)}.",
            hint="Take fewer over with --slides.",
        )
    dim = read_slide(found[slides[0]], slides[0]).embeddings.vectors.shape[1]
    manifest = Manifest(
        extractor=_spec(name, dim).as_dict(),
        fingerprint=f"{IMPORTED}{dim}",  # what else tells two imports apart is seen in their files
        dataset=dataset.name,
        revision=dataset.revision,
        dataset_option=dataset.option,
        precision=str(precision),
        origin=f"features.npy of plism-benchmark in {folder}",
    )
    digests = {slide: digest_of(path) for slide, path in found.items()}  # of all: those that stay go with the new ones
    opened = open_for_writing(workspace.embeddings(name), manifest, slides, existing, digests)
    staying = [slide for slide in dataset.slides if opened.store.has(slide) and slide not in found]
    if staying:
        raise FingerprintMismatch(
            f"{opened.store.folder} has {len(staying)} slides that {folder} lacks: {few_of(staying)}.",
            hint="Import into another --root or under another --model, or remove the store first.",
        )
    files = {slide: found[slide] for slide in opened.todo}
    return Import(opened.store, dataset, files, opened.skipped)


def _spec(name: str, dim: int) -> ExtractorSpec:
    """Facts about the model where it is known: title, parameters, licence."""
    if name in registry.names():
        spec = registry.get(name)
        if spec.dim == dim:
            return spec
    return ExtractorSpec(name=name, loader="plism_benchmark:features", dim=dim)
