import dataclasses
import json
import re
import subprocess
import sys

import pytest
import timm
import torch
from checkpoints import SMALL, SWIGLU, TIMM, publish, randomised
from families import FAMILIES, gemma_in_shards, seal_conch
from loopback_hub import Fault, FaultKind, LoopbackHub
from torch import nn

from plismbench.errors import (
    BrokenPlugin,
    InvalidInput,
    MissingPackage,
    PlismbenchError,
    UnknownName,
)
from plismbench.extractors.checkpoints.locations import REMOTE_MODEL, SAVED_MODEL
from plismbench.extractors.loaders import load_module, versions_of
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

TINY = {"embed_dim": 64, "depth": 1, "num_heads": 2, "num_classes": 0, "global_pool": ""}


def test_versions_are_those_of_all_that_makes_the_vectors(tmp_path, monkeypatch):
    usual = {"plismbench", "torch", "timm", "numpy"}
    assert set(versions_of(SPEC)) == usual
    assert set(versions_of(dataclasses.replace(SPEC, loader=REMOTE_MODEL))) == usual | {"transformers"}
    graph = dataclasses.replace(SPEC, loader=SAVED_MODEL)
    assert usual <= set(versions_of(graph))  # TensorFlow may not be there
    info = tmp_path / "tensorflow_cpu-2.99.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 2.99\n")
    (info / "top_level.txt").write_text("tensorflow\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert versions_of(graph)["tensorflow-cpu"] == "2.99"


def test_versions_tell_the_plug_in_that_has_the_loader(tmp_path, monkeypatch):
    for name, module in (("some-guest", "some_guest.models"), ("another-guest", "another_guest")):
        info = tmp_path / f"{name.replace('-', '_')}-0.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.3\n")
        (info / "entry_points.txt").write_text(f"[plismbench.extractors]\ntiny = {module}:SPEC\n")
    monkeypatch.syspath_prepend(tmp_path)
    theirs = dataclasses.replace(SPEC, loader="some_guest.networks:load")
    assert versions_of(theirs) == versions_of(SPEC) | {"some-guest": "0.3"}
    assert "some-guest" not in versions_of(SPEC)  # a plug-in that is data alone: its fingerprint says all of it


LOAD = """
import json, sys
import torch
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec
torch.manual_seed(0)
print(load_module(ExtractorSpec(**json.loads(sys.argv[1])))(torch.rand(2, 3, 56, 56))[:, 0].sum().item())
"""


def build():
    return randomised(timm.create_model(ARCHITECTURE, **OPTIONS | {
        "mlp_layer": timm.layers.SwiGLUPacked, "act_layer": nn.SiLU}))  # fmt: skip


def test_the_true_download_and_load_path(tmp_path):
    model = build()
    publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, model__safetensors=model.state_dict())
    torch.manual_seed(0)
    image = torch.rand(2, 3, 56, 56)
    with torch.inference_mode():
        expected = model(image)[:, 0].sum().item()
    with LoopbackHub(tmp_path / "hub") as hub, hub.in_this_process(tmp_path / "hf"):
        assert load_module(SPEC)(image)[:, 0].sum().item() == pytest.approx(expected, abs=1e-4)
        assert hub.requested(rf"/Org/Tiny/resolve/{'1' * 40}/model\.safetensors")
    # What was downloaded once needs no Hub, in another process.
    with LoopbackHub(tmp_path / "empty") as elsewhere:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, json.dumps(SPEC.as_dict())],
            env=elsewhere.environment(tmp_path / "hf") | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert elsewhere.requests == []
    assert float(done.stdout) == pytest.approx(expected, abs=1e-4)


def refusal(hub, tmp_path, spec=SPEC):
    """What is said when the spec cannot be loaded from this Hub."""
    with hub.in_this_process(tmp_path / "hf"), pytest.raises(PlismbenchError) as caught:
        load_module(spec)
    assert "\n" not in str(caught.value)
    return f"{type(caught.value).__name__} {caught.value.exit_code} {caught.value}"


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
        found = refusal(hub, tmp_path)
        assert found.startswith(words)
        assert f"{hub.url}/Org/Tiny" in found


OF_TIMM = ExtractorSpec(name="x", loader=TIMM, weights="timm:resnet18.a1_in1k", dim=512, options={"num_classes": 0})


@pytest.mark.parametrize(("spec", "repo"), [(SPEC, "Org/Tiny"), (OF_TIMM, "timm/resnet18.a1_in1k")])
def test_no_network_fails_soon_and_says_so(tmp_path, monkeypatch, spec, repo):
    naps = []
    monkeypatch.setattr("time.sleep", naps.append)
    with LoopbackHub(tmp_path) as hub:
        pass  # nobody answers at its address from now on
    assert refusal(hub, tmp_path, spec).startswith(f"Unavailable 3 Cannot reach {hub.url} for {repo}")
    assert sum(naps) < 5


@pytest.mark.parametrize("family", [*FAMILIES, seal_conch])
def test_a_published_layout_gives_the_vectors_of_the_network_that_wrote_it(tmp_path, hub, family):
    spec, network = family(tmp_path)
    image = torch.randn(3, 3, spec.image_size, spec.image_size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found, expected = load_module(spec)(image), network(image)
    assert found.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "net."])
def test_of_a_checkpoint_in_shards_only_those_of_the_tower_are_fetched(tmp_path, hub, prefix):
    spec, network = gemma_in_shards(tmp_path, prefix)
    image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    for weights in (spec.weights, "hf-hub:Org/Tiny"):
        with torch.inference_mode():
            torch.testing.assert_close(
                load_module(ExtractorSpec(**spec.as_dict() | {"weights": weights}))(image),
                network(image),
                rtol=1e-5,
                atol=1e-5,
            )
    assert len(hub.requested("GET .*model-a.safetensors")) == len(hub.requested("GET .*model-b.safetensors")) == 1
    assert not hub.requested("model-c")


def change(folder, file, edit):
    """The checkpoint again, with a change of its (innermost) table."""
    from safetensors.torch import load_file, save_file

    path = folder / file
    if path.suffix == ".safetensors":
        save_file(edit(load_file(path)), path)
    else:
        held = torch.load(path)
        inside = [key for key in ("teacher", "state_dict", "model_state_dict") if key in held]
        torch.save({inside[0]: edit(held[inside[0]])} if inside else edit(held), path)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_renamed_a_missing_and_an_extra_key_are_named(tmp_path, hub, family):
    spec, _ = family(tmp_path)
    folder, file = tmp_path / "hub/models/Org/Tiny", spec.weights.rpartition("/")[2]
    written = {}
    change(folder, file, lambda state: written.update(state) or state)
    norms = r"norm1|ln_1|layernorm_before|input_layernorm|self_attn_layer_norm\.A"
    last = max(key for key in written if re.search(norms, key))
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


def test_what_timm_itself_knows_is_loaded_strictly(tmp_path, hub):
    """With another number of classes than the checkpoint's timm would let pass what does not fit."""
    network = randomised(timm.create_model("resnet18"))
    state = network.state_dict()
    folder = publish(tmp_path / "hub", "timm/resnet18.a1_in1k", model__safetensors=state)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(image), pre_logits=True)
        torch.testing.assert_close(load_module(OF_TIMM)(image), expected)
    state["layer1.0.conv9.weight"] = state.pop("layer1.0.conv1.weight")
    change(folder, "model.safetensors", lambda _: state)
    with pytest.raises(InvalidInput, match=r"layer1\.0\.conv1\.weight"):
        load_module(OF_TIMM)


def test_a_configuration_is_the_architecture_of_a_spec_that_names_none(tmp_path, hub):
    model = build()
    publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, pytorch_model__bin=model.state_dict())
    image = torch.randn(1, 3, 56, 56)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(SPEC)(image), model(image))


def loader_that_fails(spec):
    raise ValueError(f"no {spec.name}\nat all")


def loader_that_exits(spec):
    raise SystemExit(5)


def loader_that_gives_text(spec):
    return spec.name


def loader_that_is_lazy(spec):
    return nn.Sequential(nn.LazyConv2d(3, 16), nn.LazyBatchNorm2d())


def loader_that_prints(spec):
    sys.stdout.write("loading\n")
    return nn.Identity()


def loader_that_needs(spec):
    import a_package_that_nobody_has  # noqa: F401

    return nn.Identity()


@pytest.mark.parametrize(
    ("loader", "kind", "words"),
    [
        ("test_loaders_plugin:nothing", MissingPackage, "pip install test_loaders_plugin"),
        ("json:nothing", BrokenPlugin, "json:nothing of extractor 'x' fails: AttributeError"),
        (f"{__name__}:loader_that_fails", BrokenPlugin, "ValueError: no x at all"),
        (f"{__name__}:loader_that_exits", BrokenPlugin, "SystemExit: 5"),
        (f"{__name__}:loader_that_gives_text", BrokenPlugin, "gives str, not a torch.nn.Module"),
        (f"{__name__}:loader_that_is_lazy", BrokenPlugin, r"lazy layers.* Have the loader run it on one tile"),
        (f"{__name__}:loader_that_needs", MissingPackage, "pip install a_package_that_nobody_has"),
    ],
)
def test_a_loader_that_does_not_deliver_is_named(loader, kind, words):
    with pytest.raises(kind, match=words) as caught:
        load_module(ExtractorSpec(name="x", loader=loader, dim=1))
    assert "\n" not in str(caught.value)


def test_what_a_loader_prints_is_not_the_result(tmp_path, monkeypatch, capsys):
    load_module(ExtractorSpec(name="x", loader=f"{__name__}:loader_that_prints", dim=1))
    assert capsys.readouterr() == ("", "loading\n")
    (tmp_path / "loud_loader.py").write_text("import torch\nprint('hello')\nload = lambda spec: torch.nn.Identity()\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_module(ExtractorSpec(name="x", loader="loud_loader:load", dim=1))
    assert capsys.readouterr() == ("", "hello\n")
    monkeypatch.delitem(sys.modules, "loud_loader")


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("plismbench.extractors.baselines.constant", loader_that_fails)
    with pytest.raises(ValueError, match="no x"):
        load_module(ExtractorSpec(name="x", loader="plismbench.extractors.baselines:constant", dim=1))


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"weights": "timm:vit_tin_patch16_224"}, UnknownName, "No timm architecture named 'vit_tin_patch16_224'"),
        ({"weights": "timm:vit_tiny_patch16_224.no_such_tag"}, InvalidInput, "no_such_tag"),
        ({"weights": "timm:test_vit.r160_in1k", "options": {"depht": 3}}, InvalidInput, "with option depht = 3"),
        ({"weights": "timm:test_vit.r160_in1k", "options": {"layout": "dino"}}, InvalidInput,
         "option layout does not go with weights 'timm:test_vit.r160_in1k'"),
        ({"weights": "timm:vit_tiny_patch16_224.augreg_in21k"}, InvalidInput,
         "'x' does not take tiles of 32 pixels: Input height"),
        ({"weights": "file:x.pth", "options": {"architecture": "vit_tiny_patch16_224"}}, InvalidInput,
         "'x' does not take tiles of 32 pixels: Input height"),
        ({"weights": "hf-hub:Org/Tiny", "options": {"architecture": "resnet18", "num_classes": 0}}, InvalidInput,
         "'x' declares dim 64; its vectors have 512"),
        ({"weights": "timm:resnet18.a1_in1k", "options": {"num_classes": 0}}, InvalidInput,
         "'x' declares dim 64; its vectors have 512"),
        ({"weights": "hf-hub:Org/Tiny", "pooling": "mean", "prefix_tokens": 1,
          "options": {"architecture": "vit_base_patch16_224", "img_size": 32, "reg_tokens": 4, **TINY}}, InvalidInput,
         "'x' declares prefix_tokens 1; its network has 5"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_said_before_anything_is_fetched(hub, fields, kind, words):
    with pytest.raises(kind, match=words) as caught:
        load_module(ExtractorSpec(name="x", loader=TIMM, dim=64, image_size=32, **fields))
    assert "\n" not in str(caught.value)
    assert hub.requests == []
