import json
import re
import subprocess
import sys

import pytest
import timm
import torch
import transformers
from checkpoints import (
    SMALL,
    SWIGLU,
    TIMM,
    Forward,
    conch_keys,
    dino_training_state,
    dinov2_keys,
    open_clip_keys,
    publish,
    randomised,
    tower,
)
from loopback_hub import Fault, FaultKind, LoopbackHub
from torch import nn

from plismbench.errors import AccessDenied, BrokenPlugin, InvalidInput, MissingPackage, Unavailable
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec, Pooling

OPTIONS = {**SMALL, **SWIGLU, "global_pool": "", "mlp_ratio": 5.33334, "init_values": 1e-5, "img_size": 56}
SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, weights="hf-hub:Org/Tiny", revision="1" * 40,
    dim=24, pooling=Pooling.CLS, prefix_tokens=5, image_size=56, options=OPTIONS,
)  # fmt: skip
ARCHITECTURE = "vit_base_patch14_reg4_dinov2"
CONFIG = {"architecture": ARCHITECTURE, "num_classes": 0, "num_features": 24, "global_pool": "",
          "pretrained_cfg": {"num_classes": 0, "input_size": [3, 56, 56], "mean": SPEC.mean, "std": SPEC.std,
                             "first_conv": "patch_embed.proj", "classifier": "head"}}  # fmt: skip

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


def build():
    return randomised(timm.create_model(ARCHITECTURE, **OPTIONS | {
        "mlp_layer": timm.layers.SwiGLUPacked, "act_layer": nn.SiLU}))  # fmt: skip


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
    publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, model__safetensors=model.state_dict())
    with LoopbackHub(tmp_path / "hub") as hub:
        torch.manual_seed(0)
        with torch.inference_mode():
            expected = model(torch.rand(2, 3, 56, 56))[:, 0].sum().item()
        assert float(load(hub, tmp_path)) == pytest.approx(expected, abs=1e-4)
        assert hub.requested(rf"/Org/Tiny/resolve/{'1' * 40}/model\.safetensors")
    # What was downloaded once needs no Hub.
    with LoopbackHub(tmp_path / "empty") as elsewhere:
        found = load(elsewhere, tmp_path, HF_HUB_OFFLINE="1")
    assert float(found) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "RepoNotFound", "AccessDenied 3 The Hub refuses access to Org/Tiny (status 401: no valid token"),
        (403, "GatedRepo", "AccessDenied 3 The Hub refuses access to Org/Tiny (status 403: your account"),
        (404, "RepoNotFound", "Unavailable 3 The Hub does not have what was asked of Org/Tiny"),
    ],
)
def test_what_the_hub_refuses_is_one_line(tmp_path, status, code, words):
    publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, model__safetensors=build().state_dict())
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


# One tiny checkpoint for each way that published ones are written: (spec, its files, network that made it).
def spec_of(architecture, dim=24, side=28, file="model.safetensors", prefix=1, **options):
    pooling = Pooling.OUTPUT if "head" in options or "pooler" in options else Pooling.CLS
    tokens = {} if pooling is Pooling.OUTPUT and "head" in options else {"global_pool": ""}
    return ExtractorSpec(
        name="tiny", loader=TIMM, weights=f"hf-hub:Org/Tiny/{file}", revision="1" * 40, dim=dim, image_size=side,
        pooling=pooling, prefix_tokens=prefix,
        options={"architecture": architecture, "img_size": side, **SMALL, **tokens, **options},
    )  # fmt: skip


def of_transformers(spec, kind, config, tmp_path, attribute="last_hidden_state", **more):
    network = randomised(kind(config, **more))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")  # the keys of the published files, and config.json
    return spec, Forward(network, attribute)


HF = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}


def phikon(tmp_path):
    spec = spec_of("vit_base_patch16_224", side=32, layout="transformers", norm_eps=1e-12)
    config = transformers.ViTConfig(**HF | {"image_size": 32, "patch_size": 16}, intermediate_size=96)
    return of_transformers(spec, transformers.ViTModel, config, tmp_path, add_pooling_layer=False)


def phikon_v2(tmp_path):
    spec = spec_of("vit_large_patch16_224", side=32, layout="transformers", init_values=1.0)
    config = transformers.Dinov2Config(**HF | {"image_size": 32, "patch_size": 16})
    return of_transformers(spec, transformers.Dinov2Model, config, tmp_path)


def midnight(tmp_path):
    """Position embeddings of 6 × 6 patches, used at 4 × 4."""
    spec = spec_of("vit_giant_patch14_dinov2", side=56, layout="transformers", position={"antialias": False})
    config = transformers.Dinov2Config(**HF | {"image_size": 84}, use_swiglu_ffn=True)
    return of_transformers(spec, transformers.Dinov2Model, config, tmp_path)


def hibou(tmp_path):
    spec = spec_of(ARCHITECTURE, prefix=5, layout="transformers", mlp_ratio=5.33334, init_values=1e-5, **SWIGLU)
    config = transformers.Dinov2WithRegistersConfig(**HF, use_swiglu_ffn=True)
    return of_transformers(spec, transformers.Dinov2WithRegistersModel, config, tmp_path)


def plip(tmp_path):
    spec = spec_of("vit_base_patch32_clip_quickgelu_224", dim=16, side=64, prefix=0, layout="transformers-clip",
                   head=[16])  # fmt: skip
    vision = HF | {"image_size": 64, "patch_size": 32, "intermediate_size": 96}
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    whole = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=16)
    network = randomised(transformers.CLIPModel(whole))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")
    return spec, Forward(network.get_image_features, "pooler_output")


def with_keys(spec, keys, tmp_path, file):
    module = tower(spec)
    publish(tmp_path / "hub", "Org/Tiny", **{file.replace(".", "__"): keys(module)})
    return spec, module


def gpfm(tmp_path):
    spec = spec_of("vit_large_patch14_dinov2", file="GPFM.pth", layout="dino", init_values=1e-5)
    return with_keys(spec, dinov2_keys, tmp_path, "GPFM.pth")


def openpath(tmp_path):
    spec = spec_of("vit_giant_patch14_reg4_dinov2", file="teacher.pth", prefix=5, layout="dino", init_values=1e-5)
    return with_keys(spec, dino_training_state, tmp_path, "teacher.pth")


def quilt(tmp_path):
    spec = spec_of("vit_base_patch32_clip_224", dim=16, side=64, prefix=0, file="open.bin", layout="open-clip",
                   head=[16])  # fmt: skip
    return with_keys(spec, open_clip_keys, tmp_path, "open.bin")


def conch(tmp_path):
    spec = spec_of("vit_base_patch16_224", dim=16, side=32, file="conch.bin", layout="conch", pooler="attention")
    return with_keys(spec, conch_keys, tmp_path, "conch.bin")


def conch_v15(tmp_path):
    spec = spec_of("vit_large_patch16_224", dim=16, side=32, file="conch.bin", init_values=1.0, pooler="projections")
    return with_keys(spec, lambda module: module.state_dict(), tmp_path, "conch.bin")


def keep(tmp_path):
    spec = spec_of("vit_large_patch16_224", dim=16, side=32, prefix=0, layout="keep", init_values=1e-5, head=[20, 16],
                   normalise=True)  # fmt: skip

    def keys(module):
        state = {"logit_scale": torch.ones(1), "text.x": torch.ones(2)}
        for key, value in module.state_dict().items():
            key = key.replace("gamma", "weight")
            state[key.replace("head.", "visual_head.") if key.startswith("head.") else f"visual.{key}"] = value
        return state

    return with_keys(spec, keys, tmp_path, "model.safetensors")


def sinai(tmp_path):
    spec = spec_of("vit_small_patch16_224", side=32, file="pytorch_model.bin", layout="encoder")
    return with_keys(
        spec, lambda module: {f"encoder.{k}": v for k, v in module.state_dict().items()}, tmp_path, "pytorch_model.bin"
    )


def ctranspath(tmp_path):
    """Swin has buffers that no checkpoint has."""
    options = {"architecture": "swin_tiny_patch4_window7_224", "num_classes": 0, "img_size": 56, "embed_dim": 16,
               "depths": [1, 2], "num_heads": [2, 2],
               "embed_layer": "plismbench.extractors.towers.ConvStem"}  # fmt: skip
    spec = ExtractorSpec(name="tiny", loader=TIMM, weights="hf-hub:Org/Tiny/model.safetensors", revision="1" * 40,
                         dim=32, image_size=56, options=options)  # fmt: skip
    return with_keys(spec, lambda module: module.state_dict(), tmp_path, "model.safetensors")


FAMILIES = [phikon, phikon_v2, midnight, hibou, plip, gpfm, openpath, quilt, conch, conch_v15, keep, sinai, ctranspath]


@pytest.fixture
def hub(tmp_path):
    with LoopbackHub(tmp_path / "hub") as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


@pytest.mark.parametrize("family", FAMILIES)
def test_a_published_layout_gives_the_vectors_of_the_network_that_wrote_it(tmp_path, hub, family):
    spec, network = family(tmp_path)
    image = torch.randn(3, 3, spec.image_size, spec.image_size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = load_module(spec)(image), network(image)
    assert found.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def change(folder, file, edit):
    """The checkpoint again, with a change of its (innermost) table."""
    from safetensors.torch import load_file, save_file

    path = folder / file
    if path.suffix == ".safetensors":
        save_file(edit(load_file(path)), path)
    else:
        held = torch.load(path)
        torch.save({"teacher": edit(held["teacher"])} if "teacher" in held else edit(held), path)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_renamed_a_missing_and_an_extra_key_are_named(tmp_path, hub, family):
    spec, _ = family(tmp_path)
    folder, file = tmp_path / "hub/models/Org/Tiny", spec.weights.rpartition("/")[2]
    written = {}
    change(folder, file, lambda state: written.update(state) or state)
    last = max(key for key in written if re.search("norm1|ln_1|layernorm_before", key))
    cases = {
        "renamed": ({last.replace("weight", "wait"): written[last]}, last, last.replace("weight", "wait")),
        "extra": ({last: written[last], "surplus.weight": torch.zeros(2)}, None, "surplus.weight"),
        "missing": ({}, last, "blocks.1.norm1."),
    }
    for digit, (kind, (instead, gone, words)) in enumerate(cases.items(), start=2):
        change(folder, file, lambda _, new=instead, gone=gone: {k: v for k, v in written.items() if k != gone} | new)
        with pytest.raises(InvalidInput, match="do not fit extractor 'tiny'") as caught:
            load_module(ExtractorSpec(**spec.as_dict() | {"revision": str(digit) * 40}))
        assert words in str(caught.value), kind
        assert "\n" not in str(caught.value)


def test_what_timm_itself_knows_is_loaded_strictly(tmp_path, hub, monkeypatch):
    """With another number of classes than the checkpoint's timm would let pass what does not fit."""
    spec = ExtractorSpec(name="x", loader=TIMM, weights="timm:resnet18.a1_in1k", dim=512, options={"num_classes": 0})
    network = randomised(timm.create_model("resnet18"))
    state = network.state_dict()
    folder = publish(tmp_path / "hub", "timm/resnet18.a1_in1k", model__safetensors=state)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(image), pre_logits=True)
        torch.testing.assert_close(load_module(spec)(image), expected)
    state["layer1.0.conv9.weight"] = state.pop("layer1.0.conv1.weight")
    change(folder, "model.safetensors", lambda _: state)
    with pytest.raises(InvalidInput, match=r"layer1\.0\.conv1\.weight"):
        load_module(spec)


def test_a_configuration_is_the_architecture_of_a_spec_that_names_none(tmp_path, hub):
    model = build()
    publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, pytorch_model__bin=model.state_dict())
    image = torch.randn(1, 3, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(SPEC)(image), model(image))


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


def test_errors_of_the_hub_are_of_these_kinds():
    assert AccessDenied.exit_code == Unavailable.exit_code == 3
