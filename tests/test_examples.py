"""The examples: the plug-in, as it is installed beside plismbench, and the workflow for continuous integration."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import plismbench_efficientnet_lite0 as example
import pytest
import torch
import yaml
from skimage import data
from torch.nn import functional

from plismbench.extractors import registry
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.spec import Precision

# Classes of ImageNet.
CATS = (281, 282, 285)  # tabby, tiger cat, Egyptian cat
ESPRESSO = 967


def picture(name):
    """The middle square of a picture that scikit-image ships, (224, 224, 3) uint8."""
    image = torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float()
    side = min(image.shape[2:])
    top, left = ((length - side) // 2 for length in image.shape[2:])
    square = image[:, :, top : top + side, left : left + side]
    small = functional.interpolate(square, (224, 224), mode="bicubic", antialias=True).clamp(0, 255)
    return small[0].permute(1, 2, 0).round().to(torch.uint8).numpy()


def test_it_is_registered_under_its_own_name():
    (entry,) = [entry for entry in registry.registered() if entry.name == "efficientnet-lite0"]
    assert entry.owner == "plismbench-efficientnet-lite0"
    assert registry.get("efficientnet-lite0") == example.SPEC


def test_the_weights_know_a_cat_and_a_cup_of_coffee():
    classifier = example.load_classifier(example.SPEC.options["architecture"]).eval()
    mean, std = (torch.tensor(value)[:, None, None] for value in (example.SPEC.mean, example.SPEC.std))
    for name, classes in (("chelsea", CATS), ("coffee", (ESPRESSO,))):
        image = torch.from_numpy(picture(name)).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            chances = classifier((image - mean) / std).softmax(1)[0]
        assert chances[list(classes)].sum() > 0.8
        assert int(chances.argmax()) in classes


def test_vectors_are_the_pooled_features():
    extractor = load_extractor(example.SPEC, "cpu", Precision.FP32)
    pixels = np.stack([picture("chelsea"), picture("coffee")])
    vectors = extractor(pixels).astype(np.float64)
    assert vectors.shape == (2, 1280)
    assert (vectors >= 0).all()  # after ReLU6 and a mean
    assert 0 < vectors[0] @ vectors[1] / np.prod(np.linalg.norm(vectors, axis=1)) < 0.7
    assert sum(parameter.numel() for parameter in extractor.module.parameters()) == example.SPEC.n_params


def test_weights_that_do_not_match_are_refused(monkeypatch):
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **options: dict(list(load(*args, **options).items())[:-1]))
    with pytest.raises(ValueError, match="has 295 tensors that do not match the 296 of tf_efficientnet_lite0"):
        example.load_classifier("tf_efficientnet_lite0")


CI = Path(__file__).parent.parent / "examples/ci"
STEPS = yaml.safe_load((CI / "robustness.yml").read_text())["jobs"]["robustness"]["steps"]


@pytest.fixture
def workplace(tmp_path):
    """A checkout with the baseline; programs that stand for those of a runner, gh and pip, note what they are told."""
    programs = {
        "plismbench": f'exec "{sys.executable}" -m plismbench "$@"',
        "gh": 'printf "%s " "$@" >> gh.txt; case "$*" in *--jq*) cat comments.txt 2>/dev/null || true;; esac',
        "pip": 'printf "%s " "$@" >> pip.txt',
    }
    (tmp_path / "bin").mkdir()
    for name, script in programs.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    shutil.copy(CI / "baseline.json", tmp_path)
    return tmp_path


def run_workflow(folder):
    """Runs the steps as a runner does: the rest of a job is skipped after a failure, but for what asks not to be."""
    workflow = yaml.safe_load((CI / "robustness.yml").read_text())
    environment = os.environ | workflow["jobs"]["robustness"]["env"] | {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "GITHUB_REPOSITORY": "someone/model",
        "PULL_REQUEST": "7",
    }  # fmt: skip
    codes = {}
    for step in STEPS:
        if "run" in step and (not any(codes.values()) or "!cancelled()" in step.get("if", "")):
            done = subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=folder, env=environment,
                                  capture_output=True, text=True)  # fmt: skip
            codes[step["name"]] = done.returncode
    return codes


@pytest.mark.slow
def test_the_workflow_gates_and_comments(workplace):
    assert run_workflow(workplace) == {"Install": 0, "Evaluate": 0, "Gate": 0, "Comment": 0}
    assert (workplace / "pip.txt").read_text() == "install plismbench "
    issues = "repos/someone/model/issues"
    asked, _, written = (workplace / "gh.txt").read_text().rpartition("api ")
    assert asked.startswith(f"api --paginate {issues}/7/comments --jq .[]")
    assert written == f"{issues}/7/comments --field body=@comment.md "
    assert "| small-pixels |" in (workplace / "summary.md").read_text()
    comment = (workplace / "comment.md").read_text()
    assert comment == f"<!-- plismbench -->\n{(workplace / 'board.md').read_text()}"
    baseline = json.loads((workplace / "baseline.json").read_text())
    baseline["boards"][0]["rows"][0]["cosine"] += 0.01
    (workplace / "baseline.json").write_text(json.dumps(baseline))
    (workplace / "comments.txt").write_text("31\n")  # the next run finds its own comment, and changes no other
    assert run_workflow(workplace) == {"Install": 0, "Evaluate": 0, "Gate": 1, "Comment": 0}
    written = (workplace / "gh.txt").read_text().rpartition("api ")[2]
    assert written == f"--method PATCH {issues}/comments/31 --field body=@comment.md "
    assert 'failures="1"' in (workplace / "robustness.xml").read_text()
