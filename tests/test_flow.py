"""The main job, end to end through the command line: tiles, vectors, numbers, ranking, report."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import oracle
import pytest
import torch
import transformers
from checkpoints import randomised
from command_line import run_command
from loopback_hub import LoopbackHub
from small_plism import SMALL, published_rows, small_tiles, write_shards

from plismbench import dataset
from plismbench.dataset import DEMO
from plismbench.embeddings.store import EmbeddingStore
from plismbench.workspace import Workspace


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PLISMBENCH_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run_command, monkeypatch, capsys)


@pytest.mark.slow
def test_the_demo_from_tiles_to_report(run, tmp_path):
    models = ["constant", "small-pixels", "color-stats"]
    assert run("extract", "--dataset=demo", "--model", ",".join(models)).code == 0
    evaluated = run("evaluate", "--dataset=demo", "--format=json")
    assert evaluated.code == 0
    told = {(row["model"], row["group"], row["metric"]): row for row in json.loads(evaluated.out)["rows"]}
    assert {model for model, _, _ in told} == set(models)
    # A constant fools the cosine and nothing else.
    assert told["constant", "all", "cosine"]["median"] == pytest.approx(1)
    assert told["constant", "all", "top_10"]["median"] == 0
    # Numbers of real tissue are those of the slow definition.
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "demo").embeddings("small-pixels"))
    a, b = (store.read(slide).vectors for slide in sorted(DEMO.default_slides)[:2])
    pairs = run("evaluate", "--dataset=demo", "--model=small-pixels", f"--slides={_first_two()}", "--format=json")
    found = {row["metric"]: row["median"] for row in json.loads(pairs.out)["rows"] if row["group"] == "all"}
    assert found["cosine"] == pytest.approx(oracle.cosine(a, b), abs=1e-6)
    assert found["top_1"] == pytest.approx(oracle.accuracy(a, b, 1), abs=1e-12)
    boards = run("leaderboard", "--dataset=demo").out.splitlines()
    usual = next(number for number, line in enumerate(boards) if line.startswith("demo@1|slides:4-"))
    assert boards[usual + 2].split()[:2] == ["1", "small-pixels"]
    report = run("report", "--dataset=demo")
    assert report.code == 0
    assert all(model in (tmp_path / "root/demo/report.html").read_text() for model in models)


def _first_two():
    return ",".join(map(str, sorted(DEMO.default_slides)[:2]))


@pytest.fixture
def small_plism(monkeypatch, tmp_path):
    """The command line's ``plism`` is six slides of 25 tiles on a Hub at loopback."""
    monkeypatch.setitem(dataset.DATASETS, "plism", SMALL)
    write_shards(tmp_path / "hub/datasets/owkin/plism-dataset-tiles", published_rows(small_tiles()))
    with LoopbackHub(tmp_path / "hub") as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


def test_plism_from_the_hub_to_the_leaderboard(run, small_plism, tmp_path):
    extracted = run("extract", "--model=mean-color", "--slides=all")
    assert extracted.code == 0, extracted.err
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "plism").embeddings("mean-color"))
    for slide, batch in small_tiles().items():
        expected = (batch.pixels / 255).mean((1, 2))
        np.testing.assert_allclose(store.read(slide).vectors, expected, atol=1e-3)
        np.testing.assert_array_equal(store.read(slide).xy, batch.xy)
    assert run("evaluate", "--slides=all").code == 0
    board = run("leaderboard")
    assert "mean-color" in board.out
    assert board.err == ""


TINY = """
dim = 24
pooling = "cls"
prefix_tokens = 1
weights = "hf-hub:Org/Tiny"
revision = "1111111111111111111111111111111111111111"

[options]
architecture = "vit_small_patch16_224"
layout = "transformers"
img_size = 224
num_classes = 0
global_pool = ""
embed_dim = 24
depth = 2
num_heads = 2
"""


def test_a_model_of_transformers_from_its_repository_to_vectors(run, small_plism, tmp_path):
    """As Phikon is written; what its own class gives is what lies in the store."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    config = transformers.ViTConfig(**sizes, layer_norm_eps=1e-6)
    network = randomised(transformers.ViTModel(config, add_pooling_layer=False))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")
    (tmp_path / "tiny.toml").write_text(TINY)
    extracted = run("extract", f"--model={tmp_path}/tiny.toml", "--slides=GM_AT2", "--pooling=cls+mean")
    assert extracted.code == 0, extracted.err
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "plism").embeddings("tiny+cls+mean"))
    batch = next(batch for slide, batch in small_tiles().items() if str(slide) == "GM_AT2")
    image = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        tokens = network(pixel_values=(image - mean) / std).last_hidden_state
    expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    found = store.read(next(slide for slide in small_tiles() if str(slide) == "GM_AT2")).vectors
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_gated_model_is_one_line_and_leaves_nothing(run, small_plism, tmp_path):
    outcome = run("extract", "--model=h0-mini")
    assert outcome.code == 3
    assert "bioptimus/H0-mini" in outcome.error
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_results_of_another_revision_are_refused(run, small_plism, monkeypatch):
    run("extract", "--model=mean-color", "--slides=GM_AT2,GMH_S60")
    monkeypatch.setitem(dataset.DATASETS, "plism", replace(SMALL, revision="newer"))
    outcome = run("evaluate", "--slides=GM_AT2,GMH_S60")
    assert outcome.code == 2
    assert "tiles plism@main, not plism@newer" in outcome.error
