import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn
from toy_loaders import Projection

from plismbench.errors import CorruptFile
from plismbench.extraction import model_check
from plismbench.extraction.model_check import inspect_extractor, record_vectors
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(name="toy", loader="toy_loaders:projection", dim=8, mean=(0, 0, 0), std=(1, 1, 1), n_params=384)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 224, 224, 3), dtype=np.uint8)


class Noisy(nn.Module):
    def forward(self, image):
        return torch.rand(len(image), 8)


class OfTheBatch(nn.Module):
    """What a tile gives depends on its neighbours."""

    def forward(self, image):
        means = nn.functional.adaptive_avg_pool2d(image, 2).flatten(1)[:, :8]
        return means - means.mean(0)


def inspect(tmp_path, spec=SPEC, module=None, monkeypatch=None):
    if module is not None:
        monkeypatch.setattr("plismbench.extractors.inference.extractor.load_module", lambda spec: module)
    return {finding.name: finding for finding in inspect_extractor(spec, PIXELS, "cpu", tmp_path / "record.json")}


def failed(findings):
    return {name for name, finding in findings.items() if finding.passed is False}


def test_a_good_model_passes(tmp_path):
    found = inspect(tmp_path)
    assert failed(found) == set()
    assert (found["parameters"].value, found["shape"].value) == (384, "6 × 8")
    assert 0 < found["fp16 against fp32"].value < 1e-3
    assert 1e-4 < found["unlike tiles"].value < 2
    assert found["tiles per second"].value > 0
    assert found["peak memory, bytes"].value > 1e7
    assert {"against the record", "position embeddings"}.isdisjoint(found)


def test_how_position_embeddings_were_fitted_is_told(tmp_path, monkeypatch):
    module = Projection(8)
    module.fitted_positions = "4 × 4 to 2 × 2"
    found = inspect(tmp_path, module=module, monkeypatch=monkeypatch)
    assert (found["position embeddings"].value, found["position embeddings"].passed) == ("4 × 4 to 2 × 2", None)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"n_params": 385}, {"parameters"}),
        ({"loader": "toy_loaders:wider", "n_params": None}, {"shape"}),
        ({"loader": "toy_loaders:spoilt", "options": {"value": "nan"}}, {"finite values"}),
    ],
)
def test_what_is_wrong_is_found(tmp_path, change, wrong):
    assert failed(inspect(tmp_path, dataclasses.replace(SPEC, **change))) == wrong


def test_what_float16_does_not_hold_is_named(tmp_path):
    spec = dataclasses.replace(SPEC, loader="toy_loaders:spoilt", options={"value": "1e6"})
    words = "NaN, infinity, a value above 65,504 or a vector too near 0 for float16"
    assert inspect(tmp_path, spec)["finite values"].value == words


def test_what_is_not_repeatable_is_found(tmp_path, monkeypatch):
    spec = dataclasses.replace(SPEC, n_params=None)
    torch.manual_seed(0)
    assert {"a second run", "batch of 1 against 6"} <= failed(inspect(tmp_path, spec, Noisy(), monkeypatch))
    assert failed(inspect(tmp_path, spec, OfTheBatch(), monkeypatch)) == {"batch of 1 against 6"}


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_collapsed_model_is_found(tmp_path, monkeypatch, value):
    module = Projection(8)
    module.weight.data *= 1e-6  # what of a tile is left is lost in float16's rounding
    module.register_forward_hook(lambda _module, _image, output: output * bool(value) + value)
    found = inspect(tmp_path, dataclasses.replace(SPEC, n_params=None), module, monkeypatch)
    assert failed(found) == {"unlike tiles"}
    assert found["unlike tiles"].value <= 1e-5


def test_a_network_that_is_drawn_anew_when_it_is_built_is_found(tmp_path):
    assert failed(inspect(tmp_path, dataclasses.replace(SPEC, loader="toy_loaders:unseeded"))) == {"a second build"}


def test_a_network_that_works_in_another_type_is_found(tmp_path):
    found = inspect(tmp_path, dataclasses.replace(SPEC, loader="toy_loaders:halved"))
    assert failed(found) == {"dtype"}
    assert found["dtype"].value == "float16"


def test_half_precision_is_held_against_a_limit_only_where_it_is_recommended(tmp_path, monkeypatch):
    monkeypatch.setattr(model_check, "_HALF_PRECISION", 0.0)
    assert failed(inspect(tmp_path)) == {"fp16 against fp32"}
    assert failed(inspect(tmp_path, dataclasses.replace(SPEC, precision="bf16"))) == {"bf16 against fp32"}
    assert failed(inspect(tmp_path, dataclasses.replace(SPEC, precision="fp32"))) == set()


def test_a_record_catches_weights_that_became_others(tmp_path, monkeypatch):
    record = tmp_path / "record.json"
    record_vectors(SPEC, PIXELS, "cpu", record)
    assert inspect(tmp_path)["against the record"].value == 0
    told = json.loads(record.read_text())
    assert np.shape(told["vectors"]) == (4, 8)
    other = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 8, bias=False))
    assert "against the record" in failed(inspect(tmp_path, module=other, monkeypatch=monkeypatch))


def test_a_record_of_another_spec_says_nothing(tmp_path):
    record_vectors(SPEC, PIXELS, "cpu", tmp_path / "record.json")
    finding = inspect(tmp_path, dataclasses.replace(SPEC, mean=(0.1, 0, 0)))["record"]
    assert finding.passed is None
    assert SPEC.fingerprint() in finding.value


def test_a_record_that_cannot_be_read(tmp_path):
    (tmp_path / "record.json").write_text("[]")
    with pytest.raises(CorruptFile, match="is not a record of vectors"):
        inspect(tmp_path)
