import shutil
import sys

import numpy as np
import pytest
import timm
import torch
from checkpoints import SMALL, dino_training_state, publish, randomised

from plismbench.errors import BrokenPlugin, CorruptFile, InvalidInput, MissingPackage, UnknownName
from plismbench.extractors.adhoc import hub_spec, python_spec, timm_spec, toml_spec
from plismbench.extractors.checkpoints.file_kinds import file_sha256
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import Pooling

TOML = """
dim = 24
pooling = "cls"
prefix_tokens = 1
image_size = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
weights = "file:weights/x.pth"

[options]
architecture = "vit_small_patch16_224"
img_size = 32
global_pool = ""
num_classes = 0
embed_dim = 24
depth = 2
num_heads = 2
"""


def small():
    return randomised(timm.create_model("vit_small_patch16_224", img_size=32, global_pool="", **SMALL))


def test_any_timm_architecture_by_name():
    vit = timm_spec("vit_base_patch14_dinov2.lvd142m")
    assert (vit.dim, vit.image_size, vit.interpolation) == (768, 518, "bicubic")  # fixed: position embeddings
    assert (vit.pooling, vit.prefix_tokens) == (Pooling.CLS, 1)
    resnet = timm_spec("resnet18")
    assert (resnet.name, resnet.dim, resnet.image_size) == ("timm:resnet18", 512, 224)
    assert (resnet.n_params, resnet.pooling) == (11_176_512, Pooling.OUTPUT)
    assert resnet.weights == "timm:resnet18"
    # A convolutional network trained at 288 px sees the tile at its own size.
    assert timm_spec("efficientnet_b2.ra_in1k").image_size == 224
    # DINOv3 ends in the mean of its patches, which is not its class token.
    assert timm_spec("vit_small_patch16_dinov3.lvd1689m").pooling is Pooling.OUTPUT


def test_tokens_without_one_of_the_class_are_averaged(tmp_path, hub):
    options = {"class_token": False, "global_pool": "", "img_size": 32, **SMALL}
    network = randomised(timm.create_model("vit_small_patch16_224", **options))
    config = {"architecture": "vit_small_patch16_224", "num_features": 24, "model_args": options,
              "pretrained_cfg": {"input_size": [3, 32, 32]}}  # fmt: skip
    publish(tmp_path / "hub", "Org/Patches", config__json=config, model__safetensors=network.state_dict())
    white = np.full((1, 32, 32, 3), 255, np.uint8)
    spec = hub_spec("Org/Patches")
    vectors = load_extractor(spec, "cpu", "fp32")(white)
    assert (spec.pooling, spec.prefix_tokens) == (Pooling.MEAN, 0)
    image = ((1 - torch.tensor(spec.mean)) / torch.tensor(spec.std)).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    with torch.inference_mode():
        np.testing.assert_allclose(vectors, network(image).mean(1), rtol=1e-2, atol=1e-3)


def test_timm_names_that_cannot_be():
    with pytest.raises(UnknownName, match="Did you mean 'resnet18'"):
        timm_spec("resnet81")
    without = next(name for name in timm.list_models("vit_*") if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(InvalidInput, match="no pretrained weights"):
        timm_spec(without)


def test_an_architecture_of_timm_with_a_checkpoint_of_ones_own(tmp_path):
    network = randomised(timm.create_model("vit_tiny_patch16_224", num_classes=0))
    path = tmp_path / "mine.pth"
    torch.save({"teacher": {f"module.backbone.{key}": value for key, value in network.state_dict().items()}}, path)
    spec = timm_spec(f"vit_tiny_patch16_224@{path}")
    assert (spec.name, spec.dim, spec.pooling) == ("timm:vit_tiny_patch16_224@mine", 192, Pooling.CLS)
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(spec)(image)[:, 0], network(image))
    torch.save(randomised(network, seed=1).state_dict(), path)
    assert timm_spec(f"vit_tiny_patch16_224@{path}").fingerprint() != spec.fingerprint()
    with pytest.raises(InvalidInput, match=r"There is no file .*other\.pth\. Correct the name"):
        timm_spec(f"vit_tiny_patch16_224@{tmp_path}/other.pth")


def test_a_network_of_stages_with_a_checkpoint_of_ones_own(tmp_path):
    network = randomised(timm.create_model("mobilenetv3_small_050"))
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    module = load_module(timm_spec(f"mobilenetv3_small_050@{tmp_path / 'mine.pth'}"))
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in module.state_dict().items())


def test_a_repository_of_the_hub_describes_itself(tmp_path, hub):
    network = small()
    config = {
        "architecture": "vit_small_patch16_224", "num_features": 24, "model_args": {"img_size": 32, **SMALL},
        "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5], "input_size": [3, 32, 32],
                           "interpolation": "bilinear", "license": "mit"},
    }  # fmt: skip
    publish(tmp_path / "hub", "Org/Tiny", config__json=config, model__safetensors=network.state_dict())
    spec = hub_spec(f"Org/Tiny@{'2' * 40}")
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(spec)(image), network(image))
    assert (spec.name, spec.revision) == (f"hf-hub:Org/Tiny@{'2' * 40}", "2" * 40)
    assert (spec.dim, spec.pooling, spec.prefix_tokens, spec.image_size) == (24, Pooling.CLS, 1, 32)
    assert (spec.mean, spec.interpolation, spec.license) == ((0.1, 0.2, 0.3), "bilinear", "mit")


def test_a_toml_file_has_the_fields_of_a_spec(tmp_path):
    (tmp_path / "weights").mkdir()
    network = small()
    torch.save(network.state_dict(), tmp_path / "weights/x.pth")
    (tmp_path / "my-model.toml").write_text(TOML)
    spec = toml_spec(tmp_path / "my-model.toml")
    assert (spec.name, spec.dim, spec.pooling) == ("my-model", 24, Pooling.CLS)
    assert len(spec.revision) == 64
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(spec)(image), network(image))


def test_the_mark_that_notepad_writes_is_left_out(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("dim = 3\n")
    before = toml_spec(path)
    path.write_text("dim = 3\n", encoding="utf-8-sig")
    assert toml_spec(path) == before


def test_the_revision_of_a_toml_file_is_held_against_its_weights(tmp_path):
    (tmp_path / "weights").mkdir()
    torch.save(small().state_dict(), tmp_path / "weights/x.pth")
    path = tmp_path / "x.toml"
    path.write_text(f'revision = "{"0" * 64}"\n{TOML}')
    with pytest.raises(CorruptFile, match=r"x\.pth has SHA-256 [0-9a-f]{64}; .*x\.toml pins 0000"):
        toml_spec(path)
    digest = file_sha256(tmp_path / "weights/x.pth")
    path.write_text(f'revision = "{digest}"\n{TOML}')
    assert toml_spec(path).revision == digest


def test_a_toml_file_names_a_dino_training_state(tmp_path):
    network = randomised(timm.create_model("vit_small_patch14_dinov2", img_size=28, global_pool="", **SMALL))
    (tmp_path / "weights").mkdir()
    torch.save(dino_training_state(network), tmp_path / "weights/x.pth")
    text = TOML.replace("vit_small_patch16_224", "vit_small_patch14_dinov2").replace("32", "28")
    (tmp_path / "dino.toml").write_text(f'{text}layout = "dino"\n')
    image = torch.randn(1, 3, 28, 28)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(toml_spec(tmp_path / "dino.toml"))(image), network(image))


def test_a_toml_file_changes_the_weights_beside_it(tmp_path):
    network, layer = small(), "blocks.1.mlp.fc1"
    (tmp_path / "weights").mkdir()
    torch.save(network.state_dict(), tmp_path / "weights/base.pth")
    weight = network.get_submodule(layer).weight
    down, up = torch.ones(2, weight.shape[1]), torch.full((len(weight), 2), 0.25)
    key = f"base_model.model.{layer}.lora_"
    torch.save({f"{key}A.weight": down, f"{key}B.weight": up}, tmp_path / "weights/x.pth")
    adapts = f'adapts = {{weights = "file:weights/base.pth", layers = ["{layer}"], scale = 2}}'
    (tmp_path / "x.toml").write_text(TOML + adapts)
    pinned = adapts.replace("layers", f'revision = "{file_sha256(tmp_path / "weights/base.pth")}", layers')
    (tmp_path / "pinned.toml").write_text(f'name = "x"\n{TOML}{pinned}')
    assert toml_spec(tmp_path / "pinned.toml").fingerprint() == toml_spec(tmp_path / "x.toml").fingerprint()
    (tmp_path / "pinned.toml").write_text(TOML + pinned.replace('revision = "', 'revision = "0'))
    with pytest.raises(CorruptFile, match=r"base\.pth has SHA-256 .*; .*pinned\.toml pins 0"):
        toml_spec(tmp_path / "pinned.toml")
    with torch.no_grad():
        weight += 1  # 2 · Σ 0.25 · 1 over the two of the rank
    image = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(load_module(toml_spec(tmp_path / "x.toml"))(image), network(image))


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("dim = ", CorruptFile, r"x\.toml is not TOML"),
        (f"dim = {'[' * 3_000}{']' * 3_000}", CorruptFile, r"x\.toml is not TOML: maximum recursion depth exceeded"),
        ("name = 'x'", InvalidInput, "does not say `dim`"),
        ("dim = 3\npoling = 'cls'", UnknownName, "Did you mean 'pooling'"),
        ("dim = 'three'", InvalidInput, "dim is a whole number; got 'three'"),
        ("dim = 3\nweights = 5", InvalidInput, "weights is text; got 5"),
        ("dim = 3\nname = 5", InvalidInput, "name is text; got 5"),
        ("dim = 3\nrevision = 5", InvalidInput, "revision is text; got 5"),
        ("dim = 3\nimage_size = 224.5", InvalidInput, r"image_size is a whole number; got 224\.5"),
        ("dim = 3\ngated = 1", InvalidInput, "gated is true or false; got 1"),
        ("dim = 3\nmean = 'abc'", InvalidInput, "mean is a list; got 'abc'"),
        ("dim = 3\nmean = ['a', 'b', 'c']", InvalidInput, "mean is a list of numbers; got"),
        ("dim = 3\noptions = 5", InvalidInput, "options is a table; got 5"),
        ("dim = 3\nweights = 'file:.'", InvalidInput, "is a folder"),
        ("dim = 3\npooling = 'max'", InvalidInput, "pooling is one of"),
        ("dim = 3\nweights = 'file:no.pth'", InvalidInput, r"x\.toml: There is no file .*no\.pth"),
        (
            "dim = 3\nweights = 'file:~nobodyatall/x.pth'",
            InvalidInput,
            r"x\.toml: ~nobodyatall/x\.pth cannot be read: Could not determine home",
        ),
        (
            "dim = 3\nloader = 'plismbench.extractors.baselines:small_pixels'\n[options]\nside = 'a'",
            InvalidInput,
            r"x\.toml: Extractor 'x': option side is a whole number.*; got 'a'",
        ),
    ],
)
def test_a_toml_file_with_a_mistake(tmp_path, text, kind, words):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(kind, match=words) as caught:
        toml_spec(tmp_path / "x.toml")
    assert "\n" not in str(caught.value)
    assert "x.toml" in str(caught.value)


def test_a_spec_in_a_python_file_with_a_loader_of_ours_is_data(tmp_path):
    (tmp_path / "x.py").write_text(
        "from plismbench import ExtractorSpec\n"
        "SPEC = ExtractorSpec(name='mine', loader='plismbench.extractors.baselines:constant', dim=3)\n"
    )
    assert load_module(python_spec(tmp_path / "x.py", "SPEC")).dim == 3


PYTHON = """
import torch
from plismbench import ExtractorSpec

class Mean(torch.nn.Module):
    def forward(self, image):
        return image.mean((2, 3))

def load(spec):
    return Mean()

SPEC = ExtractorSpec(name="mine", loader="my_model:load", dim=3, mean=(0, 0, 0), std=(1, 1, 1))
NUMBER = 3

def volume(spec):
    return torch.nn.Identity()

def broken(spec):
    return torch.nn.Linear(7, 7)

class Picky(torch.nn.Module):
    def forward(self, image):
        return {}["pixel_values"]

def inside(spec):
    return torch.nn.Sequential(Picky())

def fails(spec):
    raise ValueError("no")

class Named(torch.nn.Module):
    def forward(self, image):
        return {"pooled": image.mean((2, 3))}

def named(spec):
    return Named()

class Exits(torch.nn.Module):
    def forward(self, image):
        raise SystemExit(0)

def exits(spec):
    return Exits()
"""


def test_a_python_file_gives_a_loader_or_a_spec(tmp_path):
    path = tmp_path / "my_model.py"
    path.write_text(PYTHON)
    by_loader, by_spec = python_spec(path, "load"), python_spec(path, "SPEC")
    assert (by_loader.name, by_loader.dim, by_loader.pooling) == ("my_model:load", 3, Pooling.OUTPUT)
    assert (by_spec.name, by_spec.mean) == ("mine", (0, 0, 0))
    white = np.full((2, 8, 8, 3), 255, np.uint8)
    assert load_extractor(by_spec, "cpu", "fp32")(white).tolist() == [[1, 1, 1]] * 2
    expected = (1 - np.array(by_loader.mean)) / np.array(by_loader.std)
    np.testing.assert_allclose(load_extractor(by_loader, "cpu", "fp32")(white)[0], expected, rtol=1e-3)
    path.write_text(PYTHON + "# changed\n")
    assert python_spec(path, "load").fingerprint() != by_loader.fingerprint()


def test_a_file_that_was_moved_is_the_same_model(tmp_path):
    checkpoint = tmp_path / "a/weights/x.pth"
    checkpoint.parent.mkdir(parents=True)
    torch.save(small().state_dict(), checkpoint)
    (tmp_path / "a/mine.toml").write_text(TOML)
    (tmp_path / "a/my_model.py").write_text(PYTHON)
    (tmp_path / "a/coded.toml").write_text('dim = 3\nloader = "my_model.py:load"\n')
    shutil.copytree(tmp_path / "a", tmp_path / "b")

    def fingerprints(folder):
        specs = (toml_spec(folder / "mine.toml"), toml_spec(folder / "coded.toml"),
                 *(python_spec(folder / "my_model.py", name) for name in ("load", "SPEC")))  # fmt: skip
        return [spec.fingerprint() for spec in specs]

    assert fingerprints(tmp_path / "a") == fingerprints(tmp_path / "b")
    before = fingerprints(tmp_path / "b")
    (tmp_path / "b/my_model.py").write_text(PYTHON + "# changed\n")
    assert [old == new for old, new in zip(before, fingerprints(tmp_path / "b"), strict=True)] == [True] + [False] * 3
    assert isinstance(load_module(toml_spec(tmp_path / "b/coded.toml")), torch.nn.Module)


def test_a_file_that_no_model_can_be_called_after(tmp_path):
    path = tmp_path / "my model.py"
    path.write_text(PYTHON)
    (tmp_path / "my model.toml").write_text("dim = 3\n")
    for describe in (lambda: python_spec(path, "load"), lambda: toml_spec(path.with_suffix(".toml"))):
        with pytest.raises(InvalidInput, match=r"The model of my model\.\w+ is called after the file") as caught:
            describe()
        assert caught.value.hint == "Rename the file."


@pytest.mark.parametrize(
    ("attribute", "kind", "words"),
    [
        ("lod", UnknownName, "Did you mean 'load'"),
        ("NUMBER", InvalidInput, "is int; a spec or a loader is expected"),
        (
            "broken",
            BrokenPlugin,
            r"'my_model:broken' fails on tiles of 224 pixels: RuntimeError.*want --existing replace\.",
        ),
        ("inside", BrokenPlugin, r"fails on tiles of 224 pixels: KeyError: 'pixel_values' \(my_model\.py, line 23\)\."),
        ("fails", BrokenPlugin, r"Loader .*my_model\.py:fails of .*: ValueError: no \(my_model\.py, line 29\)\."),
        ("named", InvalidInput, r"gives dict; \(n, dim\).*returns the tensor alone"),
        ("exits", BrokenPlugin, r"fails on tiles of 224 pixels: SystemExit: 0 \(my_model\.py, line 40\)"),
        ("volume", InvalidInput, r"gives \(1, 3, 224, 224\); \(n, dim\)"),
    ],
)
def test_a_python_file_with_a_mistake(tmp_path, attribute, kind, words):
    (tmp_path / "my_model.py").write_text(PYTHON)
    with pytest.raises(kind, match=words) as caught:
        python_spec(tmp_path / "my_model.py", attribute)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("import a_package_that_nobody_has", MissingPackage, "No module named 'a_package_that_nobody_has'"),
        ("def load(spec)", InvalidInput, r"my_model\.py does not run: SyntaxError: expected ':'"),
        ("1 / 0", InvalidInput, "ZeroDivisionError"),
        ("raise SystemExit(2)", InvalidInput, r"my_model\.py does not run: SystemExit: 2"),
    ],
)
def test_a_python_file_that_does_not_run(tmp_path, text, kind, words):
    (tmp_path / "my_model.py").write_text(text)
    with pytest.raises(kind, match=words) as caught:
        python_spec(tmp_path / "my_model.py", "load")
    assert "\n" not in str(caught.value)


def test_what_a_python_file_prints_is_not_the_result(tmp_path, capsys):
    (tmp_path / "my_model.py").write_text("import torch\nprint('hello')\nload = lambda spec: torch.nn.Flatten()\n")
    python_spec(tmp_path / "my_model.py", "load")
    assert capsys.readouterr() == ("", "hello\n" * 2)  # once for the name, once for the network
    (tmp_path / "my_model.py").write_text(
        "import torch\nclass N(torch.nn.Flatten):\n    def forward(self, x): print('seen'); return super().forward(x)\n"
        "load = lambda spec: N()\n"
    )
    python_spec(tmp_path / "my_model.py", "load")
    assert capsys.readouterr() == ("", "seen\n")


TINY = {"architecture": "test_vit", "num_features": 64, "pretrained_cfg": {"input_size": [3, 160, 160]}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_args": {"norm_layer": "torch.nope.Layer"}}, "There is no layer 'torch.nope.Layer'"),
        ({"model_args": {"act_layer": "torch.nn.Nope"}}, "There is no layer 'torch.nn.Nope'"),
        ({"model_args": {"act_layer": "timm.layers.drop_path"}}, "There is no layer 'timm.layers.drop_path'"),
        ({"model_args": {"act_layer": "torch.testing._internal.common_utils.MagicMock"}}, "There is no layer"),
        ({"model_args": {"depth": "x"}}, "timm does not build 'hf-hub:Org/Bad'"),
        ({"model_args": {"no_such_argument": 1}}, "timm does not build 'hf-hub:Org/Bad'"),
        ({"model_args": [1]}, "model_args that are no table"),
        ({"pretrained_cfg": {"mean": "abc"}}, "mean is a list; got 'abc'"),
        ({"pretrained_cfg": {"input_size": 3}}, "config.json of Org/Bad"),
        ({"pretrained_cfg": [1]}, "config.json of Org/Bad"),
    ],
)
def test_a_configuration_with_a_mistake(tmp_path, hub, config, words):
    publish(tmp_path / "hub", "Org/Bad", config__json=TINY | config)
    with pytest.raises(InvalidInput, match=words) as caught:
        hub_spec("Org/Bad")
    assert "\n" not in str(caught.value)
    assert "torch.testing._internal.common_utils" not in sys.modules


def test_what_is_no_repository_of_the_hub():
    with pytest.raises(InvalidInput, match=r"'hf-hub:foo', which is no repository"):
        hub_spec("foo")


def test_an_old_configuration_has_all_in_one_table(tmp_path, hub):
    old = {"architecture": "test_vit", "num_features": 64, "input_size": [3, 160, 160], "mean": [0.7, 0.6, 0.7],
           "std": [0.2, 0.2, 0.2], "interpolation": "bilinear"}  # fmt: skip
    publish(tmp_path / "hub", "Org/Old", config__json=old)
    spec = hub_spec("Org/Old")
    assert (spec.image_size, spec.mean, spec.std) == (160, (0.7, 0.6, 0.7), (0.2, 0.2, 0.2))
    assert spec.interpolation == "bilinear"
