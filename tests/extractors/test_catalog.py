import json
import subprocess
import sys

import pytest
import timm
import torch

from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import Pooling

BY_NAME = {spec.name: spec for spec in CATALOG}


def test_names_are_different_and_every_entry_is_complete():
    assert len(BY_NAME) == len(CATALOG)
    assert {"h0-mini", "h-optimus-0", "constant", "mean-color", "small-pixels", "color-stats", "hed-stats"} < set(
        BY_NAME
    )
    for spec in CATALOG:
        assert spec.title
        assert spec.organisation
        assert spec.license
        assert spec.n_params is not None
        json.dumps(spec.as_dict())
        if spec.weights:
            assert spec.source.startswith("https://")
            assert len(spec.revision) == 40


@pytest.mark.parametrize(
    ("name", "architecture", "n_params", "dim", "tokens"),
    [
        # Parameter counts and token counts are those of the model cards.
        ("h0-mini", "vit_base_patch14_reg4_dinov2", 85_739_520, 768, 261),
        ("h-optimus-0", "vit_giant_patch14_reg4_dinov2", 1_134_774_272, 1_536, 261),
    ],
)
def test_published_models_have_the_architecture_of_their_cards(monkeypatch, name, architecture, n_params, dim, tokens):
    spec = BY_NAME[name]
    create = timm.create_model

    def on_meta(source, pretrained, **options):
        assert source == f"{spec.weights}@{spec.revision}"
        assert pretrained
        with torch.device("meta"):
            return create(architecture, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", on_meta)
    monkeypatch.setattr("plismbench.extractors.loaders.require_model", lambda *_: None)
    module = load_module(spec)
    assert sum(parameter.numel() for parameter in module.parameters()) == n_params == spec.n_params
    image = torch.empty(1, 3, spec.image_size, spec.image_size, device="meta")
    assert module.forward_features(image).shape == (1, tokens, dim)
    output = module(image)
    assert spec.dim == dim
    assert output.shape == ((1, dim) if spec.pooling is Pooling.OUTPUT else (1, tokens, dim))
    if spec.pooling is Pooling.CLS:
        assert tokens - spec.prefix_tokens == (224 // 14) ** 2


def test_published_models_normalise_as_their_cards_say():
    for name in ("h0-mini", "h-optimus-0"):
        assert BY_NAME[name].mean == (0.707223, 0.578729, 0.703617)
        assert BY_NAME[name].std == (0.211883, 0.230117, 0.177517)
        assert BY_NAME[name].gated


def test_listing_imports_neither_torch_nor_timm():
    code = "import sys; from plismbench.extractors import registry; registry.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
