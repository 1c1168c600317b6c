import json
import subprocess
import sys

import pytest
import timm
import torch
from loopback_hub import Fault, FaultKind, LoopbackHub
from safetensors.torch import save_file
from torch import nn

from plismbench.errors import AccessDenied, BrokenPlugin, InvalidInput, MissingPackage, Unavailable, UnknownName
from plismbench.extractors.loaders import load_module, timm_spec
from plismbench.extractors.spec import ExtractorSpec, Pooling

OPTIONS = {"num_classes": 0, "global_pool": "", "embed_dim": 24, "depth": 2, "num_heads": 2, "mlp_ratio": 5.33334,
           "init_values": 1e-5, "mlp_layer": "timm.layers.SwiGLUPacked", "act_layer": "torch.nn.SiLU",
           "img_size": 56}  # fmt: skip
SPEC = ExtractorSpec(
    name="tiny", loader="plismbench.extractors.loaders:timm_model", weights="hf-hub:Org/Tiny", revision="1" * 40,
    dim=24, pooling=Pooling.CLS, prefix_tokens=5, image_size=56, options=OPTIONS,
)  # fmt: skip


def build():
    torch.manual_seed(3)
    options = OPTIONS | {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": nn.SiLU}
    return timm.create_model("vit_base_patch14_reg4_dinov2", pretrained=False, **options)


def publish(root, state):
    """A repository with the layout of H0-mini: config.json and model.safetensors."""
    folder = root / "models" / "Org" / "Tiny"
    folder.mkdir(parents=True)
    config = {"architecture": "vit_base_patch14_reg4_dinov2", "num_classes": 0, "num_features": 24, "global_pool": "",
              "pretrained_cfg": {"num_classes": 0, "input_size": [3, 56, 56], "first_conv": "patch_embed.proj",
                                 "classifier": "head"}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")


LOAD = """
import json, sys
import torch
from plismbench.errors import PlismbenchError
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec
try:
    module = load_module(ExtractorSpec(**json.loads(sys.argv[1])))
except PlismbenchError as error:
    print(type(error).__name__, error.exit_code, str(error).replace(chr(10), " // "))
else:
    torch.manual_seed(0)
    print(module(torch.rand(2, 3, 56, 56))[:, 0].sum().item())
"""


def load(hub, tmp_path, **environment):
    """What a new process says when it loads the spec from the loopback Hub."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps(SPEC.as_dict())],
        env=hub.environment(tmp_path / "hf") | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


def test_the_true_download_and_load_path(tmp_path):
    model = build()
    publish(tmp_path / "hub", model.state_dict())
    with LoopbackHub(tmp_path / "hub") as hub:
        torch.manual_seed(0)
        with torch.inference_mode():
            expected = model.eval()(torch.rand(2, 3, 56, 56))[:, 0].sum().item()
        assert float(load(hub, tmp_path)) == pytest.approx(expected, abs=1e-5)
        assert hub.requested(rf"/Org/Tiny/resolve/{'1' * 40}/model\.safetensors")
    # What was downloaded once needs no Hub.
    with LoopbackHub(tmp_path / "empty") as elsewhere:
        found = load(elsewhere, tmp_path, HF_HUB_OFFLINE="1")
    assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state | {"blocks.9.norm1.weight": torch.zeros(24)}, "blocks.9.norm1.weight"),
        (lambda state: {k: v for k, v in state.items() if k != "norm.weight"}, "norm.weight"),
        (lambda state: state | {"norm.weight": torch.zeros(23)}, "norm.weight"),
    ],
    ids=["extra", "missing", "shape"],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, words):
    publish(tmp_path / "hub", change(build().state_dict()))
    with LoopbackHub(tmp_path / "hub") as hub:
        found = load(hub, tmp_path)
    assert found.startswith("InvalidInput 2 Weights of hf-hub:Org/Tiny do not fit extractor 'tiny'")
    assert words in found
    assert " // " not in found


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "RepoNotFound", "AccessDenied 3 The Hub refuses access to Org/Tiny (status 401: no valid token"),
        (403, "GatedRepo", "AccessDenied 3 The Hub refuses access to Org/Tiny (status 403: your account"),
        (404, "RepoNotFound", "Unavailable 3 The Hub does not have what was asked of Org/Tiny"),
    ],
)
def test_what_the_hub_refuses_is_one_line(tmp_path, status, code, words):
    publish(tmp_path / "hub", build().state_dict())
    with LoopbackHub(tmp_path / "hub") as hub:
        hub.faults.append(Fault(".*", FaultKind.STATUS, times=1_000, status=status, headers={"X-Error-Code": code}))
        found = load(hub, tmp_path)
        assert found.startswith(words)
        assert f"{hub.url}/Org/Tiny" in found
        assert " // " not in found


def test_no_network_fails_soon_and_says_so(tmp_path):
    with LoopbackHub(tmp_path) as hub:
        found = load(hub, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert found.startswith("Unavailable 3 Cannot reach http://127.0.0.1:9 for Org/Tiny")


def loader_that_fails(spec):
    raise ValueError(f"no {spec.name}\nat all")


def loader_that_gives_text(spec):
    return spec.name


def loader_that_needs(spec):
    import a_package_that_nobody_has  # noqa: F401

    return nn.Identity()


@pytest.mark.parametrize(
    ("loader", "kind", "words"),
    [
        ("test_loaders_plugin:nothing", MissingPackage, "pip install test_loaders_plugin"),
        ("json:nothing", BrokenPlugin, "json:nothing of extractor 'x' fails: AttributeError"),
        (f"{__name__}:loader_that_fails", BrokenPlugin, "ValueError: no x at all"),
        (f"{__name__}:loader_that_gives_text", BrokenPlugin, "gives str, not a torch.nn.Module"),
        (f"{__name__}:loader_that_needs", MissingPackage, "pip install a_package_that_nobody_has"),
    ],
)
def test_a_loader_that_does_not_deliver_is_named(loader, kind, words):
    with pytest.raises(kind, match=words) as caught:
        load_module(ExtractorSpec(name="x", loader=loader, dim=1))
    assert "\n" not in str(caught.value)


def test_a_bug_of_ours_keeps_its_traceback():
    with pytest.raises(KeyError):
        load_module(ExtractorSpec(name="x", loader="plismbench.extractors.baselines:small_pixels", dim=1))


def test_any_timm_architecture_by_name():
    vit = timm_spec("vit_base_patch14_dinov2.lvd142m")
    assert (vit.dim, vit.image_size, vit.interpolation) == (768, 518, "bicubic")  # fixed: position embeddings
    resnet = timm_spec("resnet18")
    assert (resnet.name, resnet.dim, resnet.image_size) == ("timm:resnet18", 512, 224)
    assert resnet.n_params == 11_176_512
    assert resnet.weights == "timm:resnet18"
    # A convolutional network trained at 288 px sees the tile at its own size.
    assert timm_spec("efficientnet_b2.ra_in1k").image_size == 224


def test_timm_names_that_cannot_be():
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        timm_spec("resnet81")
    without = next(name for name in timm.list_models("vit_*") if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(InvalidInput, match="no pretrained weights"):
        timm_spec(without)


def test_errors_of_the_hub_are_of_these_kinds():
    assert AccessDenied.exit_code == Unavailable.exit_code == 3
