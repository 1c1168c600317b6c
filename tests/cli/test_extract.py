import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from extras import needs_compiler, needs_ray
from torch import nn
from toy_loaders import VIT

from plismbench.dataset import Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import Unavailable
from plismbench.extractors import registry
from plismbench.extractors.spec import ExtractorSpec
from plismbench.tiles import choice

SPEC = ExtractorSpec(name="toy", loader="toy_loaders:projection", dim=8)


@pytest.fixture
def toy(monkeypatch, tiny):
    """The tiny data set with random tiles, and a network for it."""
    from small_tiles import RandomTiles

    monkeypatch.setattr(choice, "tile_source", lambda dataset, *_: choice.ChosenSource(RandomTiles(dataset), "made up"))
    get = registry.get
    specs = {
        "toy": SPEC,
        "nan": ExtractorSpec(name="nan", loader="toy_loaders:spoilt", dim=8, options={"value": "nan"}),
        "colour": ExtractorSpec(name="colour", loader="plismbench.extractors.baselines:color_stats", dim=57),
        "vit": VIT,
        "wide": ExtractorSpec(name="wide", loader="toy_loaders:wider", dim=8),
    }
    monkeypatch.setattr(registry, "get", lambda name, pooling=None: specs.get(name) or get(name, pooling))


def test_extraction_says_what_it_does_and_a_second_run_does_nothing(run, toy, tmp_path):
    first = run("extract", "--model", "toy", "--dataset", "tiny")
    assert (first.code, first.out) == (0, "")
    assert "toy: 6 slides of tiny, made up, on cpu in fp32." in first.err
    assert "180/180" in first.err
    folder = tmp_path / "root/tiny/embeddings/toy"
    assert len(list(folder.iterdir())) == 8  # with manifest and efficiency
    second = run("extract", "--model", "toy", "--dataset", "tiny")
    assert second.err.splitlines() == ["toy: 6 of 6 slides are there already.", "toy: nothing to do."]


def test_position_embeddings_that_were_resampled_are_told(run, toy, monkeypatch):
    monkeypatch.setattr("toy_loaders.Projection.fitted_positions", "4 × 4 to 2 × 2, bicubic", raising=False)
    done = run("extract", "--model", "toy,colour", "--dataset", "tiny")
    told = [line for line in done.err.splitlines() if "were resampled" in line]
    assert told == ["toy: position embeddings were resampled, 4 × 4 to 2 × 2, bicubic."]


def test_a_model_that_stops_others_can_be_left_out(run, toy):
    alone, together = (run("extract", "--model", names, "--dataset", "tiny") for names in ("nan", "toy,nan"))
    assert (alone.code, together.code) == (2, 2)
    assert "Without this model the others go on." in together.err
    assert "'nan' in fp32" in together.err
    assert "the others" not in alone.err


def test_some_slides_and_another_precision(run, toy, tmp_path):
    outcome = run("extract", "--model=toy", "--dataset=tiny", "--scanners=P", "--precision=bf16", "--root", tmp_path)
    assert "toy: 3 slides of tiny, made up, on cpu in bf16." in outcome.err
    names = sorted(path.name for path in (tmp_path / "tiny/embeddings/toy").iterdir())
    assert names == ["GM_P.parquet", "HR_P.parquet", "MY_P.parquet", "efficiency.json", "manifest.json"]


def test_two_models_read_the_tiles_once(run, toy, tmp_path, monkeypatch):
    from small_tiles import RandomTiles

    read, batches = [], RandomTiles.batches
    monkeypatch.setattr(
        RandomTiles, "batches", lambda self, slide, size: read.append(slide) or batches(self, slide, size)
    )
    outcome = run("extract", "--model", "toy,colour", "--dataset", "tiny", "--workers", "3", "--batch-size", "auto")
    assert "toy, colour" in outcome.err
    assert "360/360" in outcome.err
    assert len(read) == len(set(read)) == 6
    for name in ("toy", "colour"):
        assert len(list((tmp_path / "root/tiny/embeddings" / name).glob("*.parquet"))) == 6


def test_two_checkpoints_of_one_name_do_not_share_a_store(run, tiny, tmp_path):
    import torch

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        torch.save({}, tmp_path / folder / "last.pth")
    models = ",".join(f"timm:test_vit@{tmp_path / folder / 'last.pth'}" for folder in ("one", "two"))
    outcome = run("extract", "--model", models, "--dataset", "tiny")
    assert outcome.code == 2
    assert outcome.error.startswith("plismbench: 2 of these models are called 'timm:test_vit@last'. A checkpoint or a")
    assert not (tmp_path / "root").exists()


def test_a_model_in_a_file_may_move_and_its_hint_can_be_pasted_anywhere(run, toy, tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "mine.py").write_text(
        "from torch import nn\ndef load(spec): return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    monkeypatch.chdir(here)
    assert run("extract", "--model", "./mine.py:load", "--dataset", "tiny").code == 0
    slide = tmp_path / "root/tiny/embeddings/mine%3Aload/HR_P.parquet"
    slide.unlink()
    hint = "plismbench extract --model {}/mine.py:load --dataset tiny"
    assert hint.format(here) in run("evaluate", "--dataset", "tiny").error
    shutil.move(here, there)
    monkeypatch.chdir(there)
    assert run("extract", "--model", "./mine.py:load", "--dataset", "tiny").code == 0
    slide.unlink()
    assert hint.format(there) in run("evaluate", "--dataset", "tiny").error
    run("extract", "--model", "./mine.py:load", "--dataset", "tiny")
    assert run("evaluate", "--dataset", "tiny").code == 0
    assert run("submit", "pack", "./mine.py:load", "--dataset", "tiny", "--output", "mine.zip").code == 0
    with zipfile.ZipFile("mine.zip") as archive:
        assert not [name for name in archive.namelist() if str(tmp_path).encode() in archive.read(name)]


def test_compiling_is_said_before_it_is_done_and_kept_with_the_speed(run, toy, tmp_path, monkeypatch):
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: None)
    outcome = run("extract", "--model=toy", "--dataset=tiny", "--compile")
    assert outcome.code == 0
    _, compiling, bar, _ = outcome.err.splitlines()
    assert compiling == "Compiling first: nothing moves for a minute or more, for each network."
    assert "180/180" in bar
    assert json.loads((tmp_path / "root/tiny/embeddings/toy/efficiency.json").read_text())["compiled"]


@pytest.mark.slow
@needs_compiler
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")  # torch itself uses it, up to 2.11
def test_a_compiled_network_gives_the_same_within_a_step_of_float16(run, toy, tmp_path):
    for folder, options in (("usual", ()), ("compiled", ("--compile",))):
        arguments = ("--dataset=tiny", "--slides=HR_P", "--batch-size=8", "--root", tmp_path / folder)
        assert run("extract", "--model=vit", *arguments, *options).code == 0
    usual, compiled = (
        EmbeddingStore.open(tmp_path / folder / "tiny/embeddings/vit").read(Slide("HR", "P")).vectors
        for folder in ("usual", "compiled")
    )
    # A step of float16; near 0 that is finer than the float32 which both come from.
    step = np.spacing(np.maximum(abs(usual), abs(compiled))).astype(np.float32) + 1e-5
    assert (abs(usual.astype(np.float32) - compiled) <= step).all()


def test_processes_are_as_many_as_are_asked_for(run, toy, tmp_path):
    done = run("extract", "--model=toy", "--dataset=tiny", "--scanners=P", "--executor=processes", "--processes=3")
    assert done.code == 0
    assert "90/90" in done.err
    assert json.loads((tmp_path / "root/tiny/embeddings/toy/efficiency.json").read_text())["n_devices"] == 3


def test_ray_that_is_absent_says_how_to_install_it(run, toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = run("extract", "--model", "toy", "--dataset", "tiny", "--executor", "ray")
    assert outcome.code == 3
    assert "needs Ray, which is not installed. Install it: `pip install 'plismbench[ray]'`." in outcome.error


def test_a_cluster_that_cannot_be_joined_says_what_may_be_missing(run, toy, monkeypatch):
    def refuse(*arguments, **options):
        raise ConnectionError("Failed to connect.")

    monkeypatch.setattr("plismbench.execution.ray_cluster.RayExecutor", refuse)
    outcome = run("extract", "--model=toy", "--dataset=tiny", "--executor=ray", "--address=10.0.0.1:6379")
    assert outcome.code == 3
    assert "Cannot join a Ray cluster at '10.0.0.1:6379': Failed to connect. Start one with `ray start" in outcome.error
    assert "a token is joined with RAY_AUTH_MODE=token." in outcome.error


DEADLY = """
import os, signal, sys
from torch import nn

class Deadly(nn.Module):
    def forward(self, image):
        if "default_worker" in sys.argv[0]:  # one of Ray's, not the command, which asks for the length of a vector
            os.kill(os.getpid(), signal.SIGKILL)
        return image.mean((2, 3))

def load(spec):
    return Deadly()
"""


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize(
    ("model", "memory", "why"),
    [("./deadly.py:load", "1", "The actor died"), ("color-stats", "0.001", "killed due to the node running low on")],
)
def test_a_lost_ray_worker_is_one_line_of_ours_and_none_of_rays(tmp_path, model, memory, why):
    (tmp_path / "deadly.py").write_text(DEADLY)
    environment = os.environ | {
        "PYTHONPATH": str(Path(choice.__file__).parents[2]),
        "RAY_memory_usage_threshold": memory,  # above that share of it Ray kills workers
        "RAY_worker_niceness": "0",  # it is 15
    }
    command = [sys.executable, "-m", "plismbench", "extract", "--model", model, "--dataset", "demo"]
    options = ["--slides=HR_P", "--executor=ray", "--root", tmp_path / "root"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    told, bar, lost = done.stderr.splitlines()
    assert "1 slides of demo" in told
    assert "0/256" in bar
    assert lost.startswith("plismbench: The last worker of the Ray cluster is lost (")
    assert why in lost
    assert "the same command goes on from there" in lost


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--model", "smal-pixels"], 2, "No extractor named 'smal-pixels'. Did you mean 'small-pixels'?"),
        (["--model", "toy", "--dataset", "demp"], 2, "No data set named 'demp'. Did you mean 'demo'?"),
        (["--model", "toy", "--slides", "GM_X"], 2, "No slide of data set 'tiny' named 'GM_X'"),
        (["--model", "toy", "--stainings", "GX"], 2, "No staining of data set 'tiny' named 'GX'"),
        (["--model", "toy", "--scanners", "AT3"], 2, "named 'AT3'. Did you mean 'AT2'?"),
        (["--model", "nan"], 2, "or a vector too near 0 for float16 for GM_AT2, tile (0, 3)"),
        (["--model", "wide"], 2, "declares dim 8; its vectors have 9"),
        (["--model", "toy", "--device", "cuda:99"], 3, "Device 'cuda:99' was asked for"),
        (["--model", "toy", "--device", "tpu"], 2, "No device named 'tpu'"),
        (["--model", "toy", "--batch-size", "0"], 2, "--batch-size is a whole number from 1, or auto; got '0'"),
        (["--model", "toy", "--processes", "2"], 2, "--processes belongs to --executor processes or ray"),
        (["--model", "toy", "--address", "auto"], 2, "--address belongs to --executor ray"),
        (["--model", "timm:resnet81"], 2, "No timm architecture named 'resnet81'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_file(run, toy, tmp_path, arguments, code, words):
    dataset = [] if "--dataset" in arguments else ["--dataset", "tiny"]
    outcome = run("extract", *arguments, *dataset)
    assert outcome.code == code
    assert words in outcome.error
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_a_root_that_cannot_be_written(run, toy, tmp_path):
    (tmp_path / "file").touch()
    outcome = run("extract", "--model", "toy", "--dataset", "tiny", "--root", tmp_path / "file")
    assert outcome.code == 3
    assert "Not a directory" in outcome.error
    assert "PLISMBENCH_ROOT" in outcome.error


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(run, toy, tmp_path):
    run("extract", "--model=toy", "--dataset=tiny", "--scanners=P")
    folder = tmp_path / "root/tiny/embeddings/toy"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    told = run("extract", "--model=toy", "--dataset=tiny", "--dry-run")
    assert told.code == 0
    first, fetch, write, compute = told.out.splitlines()
    assert first == "toy: 3 slides to do, 3 there; made up."
    assert fetch.split() == ["fetch", "0", "bytes"]
    assert re.fullmatch(r"  compute  \d+ s at [\d,.]+ tiles/s on cpu in fp32", compute)
    assert write.split(maxsplit=1)[1] == f"2.2 kB to {folder}"  # 90 tiles of 8 × 2 + 8 bytes
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_dry_run_says_what_it_can_before_it_loads_the_model_and_leaves_nothing(run, toy, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise Unavailable("no network")

    monkeypatch.setattr("plismbench.extraction.profiling.load_extractor", fail)
    told = run("extract", "--model=toy", "--dataset=tiny", "--dry-run")
    assert told.code == 3
    assert [line.split()[0] for line in told.out.splitlines()] == ["toy:", "fetch", "write"]
    assert "no network" in told.error
    assert not (tmp_path / "root").exists()


def test_a_root_is_the_same_for_workers_in_other_folders(run, toy, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    told = run("extract", "--model=toy", "--dataset=tiny", "--slides=GM_P", "--root=link/here")
    assert told.code == 0
    assert f"wrote {tmp_path / 'link/here/tiny/embeddings/toy'}" in told.err


def test_a_dry_run_of_a_replacement_drops_nothing(run, toy, tmp_path):
    run("extract", "--model=toy", "--dataset=tiny")
    folder = tmp_path / "root/tiny/embeddings/toy"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    arguments = ["extract", "--model=toy", "--dataset=tiny", "--precision=bf16", "--existing=replace"]
    assert "6 slides to do, 0 there" in run(*arguments, "--dry-run").out
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert run(*arguments).code == 0
    assert {path: path.read_bytes() for path in folder.iterdir()}.keys() == before.keys()
    assert {path: path.read_bytes() for path in folder.iterdir()} != before


def test_weights_that_became_others_are_not_mixed_with_the_old(run, toy, tmp_path, monkeypatch):
    weights = tmp_path / "x.pth"
    spec = dataclasses.replace(SPEC, name="own", weights=f"file:{weights}")
    monkeypatch.setattr(registry, "get", lambda *_: spec)
    weights.write_bytes(b"first")
    assert run("extract", "--model=own", "--dataset=tiny", "--scanners=P").code == 0
    weights.write_bytes(b"second")
    outcome = run("extract", "--model=own", "--dataset=tiny")
    assert outcome.code == 2
    assert "has extractor own (" in outcome.error
    manifest = json.loads((tmp_path / "root/tiny/embeddings/own/manifest.json").read_text())
    assert manifest["extractor"]["revision"] == hashlib.sha256(b"first").hexdigest()
