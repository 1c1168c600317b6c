"""Every path of the code for a GPU, on a GPU that is pretended: each tensor is where it is needed."""

from dataclasses import replace

import numpy as np
import oracle
import pytest
import torch
from families import FAMILIES
from pretended_gpu import pretended_gpu
from small_tiles import RandomTiles
from stores import SLIDES, make_dataset, make_store, make_vectors
from toy_loaders import VIT
from vectors import PAIRS, random_pair

from plismbench.embeddings.efficiency import read_efficiency
from plismbench.embeddings.store import EmbeddingStore
from plismbench.evaluation.evaluation import plan_evaluation
from plismbench.execution.local import LocalExecutor
from plismbench.extraction.extraction import extract_together, plan_extraction
from plismbench.extractors.catalog.general import FLOOR
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.inference.runner import make_runner, noise_tiles
from plismbench.extractors.spec import Precision
from plismbench.metrics.retrieval import counterpart_ranks, searched_slide
from plismbench.results.result import read_result
from plismbench.search.torch_matmul import TorchEngine
from plismbench.search.vectors import SlideVectors
from plismbench.tiles.choice import ChosenSource
from plismbench.workspace import Existing, Workspace


@pytest.fixture
def gpu():
    with pretended_gpu() as gpu:
        yield gpu


def test_a_tensor_that_stayed_on_the_cpu_is_noticed(gpu):
    there = torch.ones(3, device="cuda")
    assert (there.device.type, (there + 1).cpu().tolist()) == ("cuda", [2.0] * 3)
    with pytest.raises(RuntimeError, match="on cuda:0 and on the CPU"):
        there + torch.ones(3)
    assert sum(gpu.waits.values()) == 1


@pytest.mark.parametrize("pair", PAIRS)
def test_ranks_are_those_of_the_oracle(gpu, pair):
    search = TorchEngine.on("cuda")
    a, b = PAIRS[pair]()
    slides = [searched_slide(SlideVectors(stored), None, 10, search) for stored in (a, b)]
    assert (slides[0].placed.values.device.type, slides[0].placed.values.dtype) == ("cuda", torch.float16)
    found = counterpart_ranks(*slides, search.paired(*(slide.placed for slide in slides)).matched, 10, search)
    for ours, expected in zip((found.a, found.b), oracle.ranks(a, b), strict=True):
        np.testing.assert_array_equal(ours, np.minimum(expected, 10))


def test_a_slide_is_copied_to_the_gpu_once(gpu):
    a, b = random_pair(400, 16)
    search = TorchEngine.on("cuda")
    slides = [searched_slide(SlideVectors(stored), None, 10, search) for stored in (a, b)]
    for _ in range(3):
        counterpart_ranks(*slides, search.paired(*(slide.placed for slide in slides)).matched, 10, search)
    assert gpu.sent == [(400, 16)] * 2


def evaluated(folder, store, engine, device):
    evaluation = plan_evaluation(
        store, make_dataset(), SLIDES, Workspace(folder, "tiny"), n_tiles=20, ks=(1, 3, 10), engine_name=engine,
        device=device, memory=10**9, threads=2, existing=Existing.SKIP,
    )  # fmt: skip
    list(evaluation.evaluate())
    return read_result(evaluation.folder)


def test_an_evaluation_on_a_gpu_in_threads_gives_the_numbers_of_the_processor(gpu, tmp_path):
    store = make_store(tmp_path / "store", make_vectors())
    there, here = evaluated(tmp_path / "gpu", store, "auto", "cuda"), evaluated(tmp_path / "cpu", store, "exact", "cpu")
    assert (there.run.engine, there.run.device, here.run.device) == ("torch", "cuda", "cpu")
    for metric in here.pairs.columns:
        if metric.startswith("top_"):
            assert there.pairs[metric].equals(here.pairs[metric])
        elif here.pairs[metric].dtype.is_float():
            np.testing.assert_allclose(there.pairs[metric], here.pairs[metric], atol=1e-12)


def extracted(folder, device, precision, specs):
    workspace = Workspace(folder, "tiny")
    plans = [
        plan_extraction(
            spec, ChosenSource(RandomTiles(), "made up"), SLIDES[:2], workspace, device=device, precision=precision,
            batch_size=16, existing=Existing.SKIP,
        )
        for spec in specs
    ]  # fmt: skip
    list(extract_together(plans, LocalExecutor()))
    stores = [EmbeddingStore.open(workspace.embeddings(spec.name)) for spec in specs]
    return stores, [read_efficiency(store.folder) for store in stores]


@pytest.mark.parametrize(("precision", "least"), [("fp32", 1.0), ("fp16", 0.9999), ("bf16", 0.998)])
def test_an_extraction_on_a_gpu_gives_the_vectors_of_the_processor(gpu, tmp_path, precision, least):
    specs = [VIT, *(spec for spec in FLOOR if spec.name == "small-pixels")]
    there, efficiencies = extracted(tmp_path / "gpu", "cuda", Precision(precision), specs)
    here, _ = extracted(tmp_path / "cpu", "cpu", Precision.FP32, specs)
    for on_gpu, on_cpu, efficiency in zip(there, here, efficiencies, strict=True):
        assert on_gpu.manifest.precision == precision
        assert (efficiency.device, efficiency.precision) == ("Pretended GPU", precision)
        for slide in SLIDES[:2]:
            found, expected = (store.read(slide).vectors.astype(np.float64) for store in (on_gpu, on_cpu))
            if precision == "fp32":
                np.testing.assert_array_equal(found, expected)
            cosines = (oracle.unit(found) * oracle.unit(expected)).sum(axis=1)
            assert cosines.min() >= least - 1e-9


@pytest.mark.parametrize("spec", FLOOR, ids=lambda spec: spec.name)
def test_a_forward_pass_never_waits_for_the_gpu(gpu, spec):
    """Else batches would not be queued one behind the other."""
    spec = VIT if spec.name == "random-vit-s" else spec
    runner = make_runner(load_extractor(spec, "cuda", Precision.FP16), 4)  # warm: constants are there
    gpu.waits.clear()
    futures = [runner.submit(noise_tiles(4)) for _ in range(2)]
    assert not gpu.waits
    assert futures[0].result().vectors.shape == (4, spec.dim)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # RMSNorm that torch 2.11 does not fuse
@pytest.mark.parametrize("family", FAMILIES)
def test_every_published_layout_runs_on_a_gpu(gpu, hub, tmp_path, family):
    spec, _ = family(tmp_path)
    tiles = noise_tiles(3)
    here = load_extractor(spec, "cpu", Precision.FP32)(tiles).astype(np.float64)
    there = load_extractor(spec, "cuda", Precision.FP32)
    np.testing.assert_array_equal(there(tiles), here.astype(np.float16))
    gpu.waits.clear()
    with torch.inference_mode():
        there.forward(torch.from_numpy(tiles).to("cuda", non_blocking=True))
    assert not gpu.waits
    half = replace(there, precision=spec.precision if spec.precision is not Precision.FP32 else Precision.FP16)(tiles)
    cosines = (oracle.unit(half.astype(np.float64)) * oracle.unit(here)).sum(axis=1)
    assert cosines.min() > 0.999
