"""Small stores with known vectors, without a model."""

import numpy as np

from plismbench.dataset import RegisteredDataset, Slide, TileSubset
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.evaluation.slide_cache import SlideCache
from plismbench.execution.threads import ThreadMap
from plismbench.extractors.spec import ExtractorSpec
from plismbench.search.engine import engine

SLIDES = tuple(sorted(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P")))


def make_dataset(tiles=30, slides=SLIDES, revision="1"):
    return RegisteredDataset("tiny", "Tiny", slides, slides, tiles, tiles, revision)


def make_manifest(name="toy", dim=8, precision="fp32", dataset="tiny", revision="1", **options):
    spec = ExtractorSpec(name=name, loader="a:b", dim=dim, options=options)
    return Manifest(
        extractor=spec.as_dict(),
        fingerprint=spec.fingerprint(),
        dataset=dataset,
        revision=revision,
        precision=precision,
    )


def make_xy(tiles):
    return np.stack([np.arange(tiles) // 7, np.arange(tiles) % 7], axis=1).astype(np.int32)


def make_vectors(slides=SLIDES, tiles=30, dim=8, seed=0):
    """What every slide shows, plus something of its staining, its scanner and noise."""
    random = np.random.default_rng(seed)
    tissue = random.standard_normal((tiles, dim))
    shift = {code: random.standard_normal(dim) for slide in slides for code in (slide.staining, slide.scanner)}
    return {
        slide: (
            tissue
            + 0.8 * shift[slide.staining]
            + 0.3 * shift[slide.scanner]
            + 0.4 * random.standard_normal((tiles, dim))
        ).astype(np.float16)
        for slide in slides
    }


def make_store(folder, vectors, **manifest):
    dim = next(iter(vectors.values())).shape[1]
    store = EmbeddingStore.create(folder, make_manifest(dim=dim, **manifest))
    for slide, values in vectors.items():
        store.write(Embeddings(slide, make_xy(len(values)), values))
    return store


def make_cache(store, capacity=6, n_tiles=80, limit=5):
    """The slides of a store of 80 tiles a slide, some of them used."""
    rows = TileSubset(n_tiles, 80).rows()
    return SlideCache(store, make_dataset(tiles=80), SLIDES, rows, limit, engine("faiss"), ThreadMap(2, 2), capacity)
