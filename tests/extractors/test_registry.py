import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plismbench.errors import BrokenPlugin, DuplicateName, InvalidInput, UnknownName
from plismbench.extractors import registry
from plismbench.extractors.spec import ExtractorSpec, Pooling

GUEST = Path(__file__).parent.parent / "guest_package"


def install(folder, distribution, points, module=""):
    """A distribution as pip leaves it: its module, its metadata, its entry points."""
    name = distribution.replace("-", "_")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = "\n".join(f"{key} = {value}" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[plismbench.extractors]\n{lines}\n")
    (folder / f"{name}.py").write_text(module)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder whose distributions this process sees."""
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def entry_of(name):
    return next(entry for entry in registry.registered() if entry.name == name)


def test_built_in_extractors_are_found():
    assert {"h0-mini", "constant"} <= set(registry.names())
    spec = registry.get("h0-mini")
    assert isinstance(spec, ExtractorSpec)
    assert spec.weights == "hf-hub:bioptimus/H0-mini"
    assert entry_of("h0-mini").owner == "plismbench"


def test_an_unknown_name_helps():
    with pytest.raises(UnknownName) as caught:
        registry.get("h0mini")
    assert str(caught.value) == (
        "No extractor named 'h0mini'. Did you mean 'h0-mini'? List them with `plismbench models`."
    )


def test_a_python_file_wants_the_name_of_a_function():
    with pytest.raises(InvalidInput, match=r"'\./mine\.py' names no function") as caught:
        registry.get("./mine.py")
    assert "./mine.py:load" in caught.value.hint


@pytest.mark.parametrize("name", ["v1.pth", "./runs/v1.ckpt", "v1.safetensors", "model_best.pth.tar"])
def test_a_checkpoint_wants_an_architecture(name):
    with pytest.raises(InvalidInput, match="is a checkpoint; of which architecture") as caught:
        registry.get(name)
    assert f"timm:ARCHITECTURE@{name}" in caught.value.hint


def test_a_folder_or_a_graph_is_no_model(tmp_path):
    with pytest.raises(InvalidInput, match=rf"'{tmp_path}' is a folder\. Name a file in it"):
        registry.get(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"'ck/m\.onnx' is an ONNX graph, not weights\. Save its network's state"):
        registry.get("ck/m.onnx")


@pytest.mark.parametrize(
    "name",
    ["~nobodyatall/x", "~nobodyatall/x.toml", "~nobodyatall/x.py:load", "timm:resnet18@~nobodyatall/x.pth", "x" * 300],
)
def test_a_path_that_cannot_be_read_is_one_line(name):
    with pytest.raises(InvalidInput, match="cannot be read: ") as caught:
        registry.get(name)
    assert "\n" not in str(caught.value)


def test_of_a_registered_model_no_file_is_looked_at(monkeypatch):
    monkeypatch.setattr(registry, "readable", None)
    assert registry.get("h0-mini").name == registry.get("h0-mini+cls").name.partition("+")[0] == "h0-mini"


def test_a_folder_at_home_is_told_by_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "vit").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "vit" / name).touch()
    with pytest.raises(InvalidInput, match=r"'~/vit' is a folder\. Of a model of transformers name "):
        registry.get("~/vit")


@pytest.mark.parametrize(("file", "text"), [("uni", ""), ("mine", 'name = "h0-mini"'), ("mine", 'name = "conch@448"')])
def test_a_file_does_not_take_the_name_of_a_registered_model(tmp_path, file, text):
    path = tmp_path / f"{file}.toml"
    path.write_text(f'{text}\ndim = 3\nloader = "a:b"\n')
    with pytest.raises(DuplicateName, match=r"which is the name of a registered model\. Give it another `name`"):
        registry.get(str(path))


def test_a_namesake_is_a_registered_model_and_no_name_is_looked_up():
    mini = registry.get("h0-mini")
    assert registry.namesake("H0-Mini") == mini
    assert registry.namesake("h0-mini@448+cls+mean") == mini.variant(pooling=Pooling.CLS_MEAN, image_size=448)
    for free in ("h0", "my-model.toml", "my_model.py:load", "hf-hub:a/b", "timm:resnet18", "h0-mini+sum"):
        assert registry.namesake(free) is None


@pytest.mark.parametrize(
    ("asked", "everywhere", "name"),
    [
        ("h0-mini", "h0-mini", "h0-mini"),
        ("timm:resnet18", "timm:resnet18", "timm:resnet18"),
        ("timm:resnet18@runs/step 1.pth", "timm:resnet18@{}/runs/step 1.pth", "timm:resnet18@step 1"),
        ("./v1.toml", "{}/v1.toml", "v1"),
        ("v2.toml", "{}/v2.toml", "mine"),
        ("mine.py:load", "{}/mine.py:load", "mine:load"),
        ("mine.py:SPEC", "{}/mine.py:SPEC", "ours"),
        ("gone.toml", "{}/gone.toml", "gone.toml"),
    ],
)
def test_a_file_is_named_from_anywhere_and_by_what_it_says(tmp_path, monkeypatch, asked, everywhere, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/step 1.pth").touch()
    (tmp_path / "v1.toml").write_text("dim = 3\n")
    (tmp_path / "v2.toml").write_text('name = "mine"\ndim = 3\nweights = "file:gone.pth"\n')
    (tmp_path / "mine.py").write_text(
        "from plismbench import ExtractorSpec\n"
        "SPEC = ExtractorSpec(name='ours', loader='mine:load', dim=3)\n"
        "def load(spec): raise ValueError('it is not called')\n"
    )
    assert registry.absolute_choice(asked) == everywhere.format(tmp_path)
    assert registry.name_of(asked) == name


@pytest.mark.slow
def test_a_real_package_is_built_installed_and_used(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(GUEST, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    code = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from plismbench.extractors import registry
from plismbench.extractors.inference.extractor import load_extractor
owners = {entry.name: entry.owner for entry in registry.registered()}
pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
vectors = {name: load_extractor(registry.get(name), "cpu", "fp32")(pixels).tolist() for name in ("guest-a", "guest-b")}
mean, top = (pixels / 255).mean((1, 2)), (pixels / 255).max((1, 2))
expected = {"guest-a": mean.tolist(), "guest-b": np.concatenate([top, mean], 1).tolist()}
print(json.dumps([owners, vectors, expected]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=True)
    owners, vectors, expected = json.loads(done.stdout)
    assert owners["guest-a"] == owners["guest-b"] == "plismbench-guest"
    for name, values in expected.items():
        for row, numbers in zip(vectors[name], values, strict=True):
            assert row == pytest.approx(numbers, abs=1e-3)


GOOD = "from plismbench import ExtractorSpec\nSPEC = ExtractorSpec(name='{}', loader='a:b', dim=1)\n"


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import a_package_that_nobody_has", "No module named 'a_package_that_nobody_has'"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(2)", "SystemExit: 2"),
        ("SPEC = 3", "ExtractorSpecs, not int"),
        ("SPEC = ['x']", "ExtractorSpecs, not str"),
        ("def SPEC():\n    raise RuntimeError('no\\nluck')", "RuntimeError: no luck"),
        ("from plismbench import ExtractorSpec\nSPEC = lambda: ExtractorSpec(name='x', loader='a:b', dim=0)", "dim"),
        ("", "has no attribute 'SPEC'"),
    ],
)
def test_a_broken_plugin_is_listed_with_its_reason_and_breaks_nothing_else(site, monkeypatch, module, words):
    install(site, "bad-plugin", {"bad": "bad_plugin:SPEC"}, module)
    install(site, "good-plugin", {"good": "good_plugin:SPEC"}, GOOD.format("good"))
    for name in ("bad_plugin", "good_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    broken = entry_of("bad")
    assert (broken.owner, broken.spec) == ("bad-plugin", None)
    assert words in broken.problem
    assert "\n" not in broken.problem
    with pytest.raises(BrokenPlugin, match="Plug-in 'bad' of bad-plugin does not load") as caught:
        registry.get("bad")
    assert words in str(caught.value)
    assert registry.get("good").name == "good"
    assert registry.get("constant").name == "constant"
    assert "bad" not in registry.names()
    with pytest.raises(UnknownName, match=r"A plug-in of bad-plugin does not load\. List them with"):
        registry.get("what-bad-brings")
    monkeypatch.delitem(sys.modules, "good_plugin")


def test_a_broken_plugin_takes_no_name_from_what_works(site, monkeypatch):
    install(site, "bad-plugin", {"constant": "bad_plugin:SPEC"}, "import nonsense_module")
    monkeypatch.delitem(sys.modules, "bad_plugin", raising=False)
    assert registry.get("constant").loader.startswith("plismbench.")
    assert "constant" in registry.names()
    problems = {entry.owner: entry.problem for entry in registry.registered() if entry.name == "constant"}
    assert problems["plismbench"] is None
    assert "nonsense_module" in problems["bad-plugin"]


def test_what_a_plugin_prints_is_not_the_result(site, monkeypatch, capsys):
    install(site, "loud-plugin", {"loud": "loud_plugin:SPEC"}, "print('hello')\n" + GOOD.format("loud"))
    assert "loud" in registry.names()
    assert capsys.readouterr() == ("", "hello\n")
    monkeypatch.delitem(sys.modules, "loud_plugin")


def test_a_plugin_may_bring_several(site, monkeypatch):
    module = (
        "from plismbench import ExtractorSpec\n"
        "SPECS = tuple(ExtractorSpec(name=f'many-{i}', loader='a:b', dim=1) for i in range(3))\n"
    )
    install(site, "many-plugin", {"many": "many_plugin:SPECS"}, module)
    assert [name for name in registry.names() if name.startswith("many-")] == ["many-0", "many-1", "many-2"]
    monkeypatch.delitem(sys.modules, "many_plugin")


def test_a_name_that_stands_twice_names_both_owners(site, monkeypatch):
    install(site, "first-plugin", {"x": "first_plugin:SPEC"}, GOOD.format("constant"))
    install(site, "second-plugin", {"x": "second_plugin:SPEC"}, GOOD.format("twice"))
    install(site, "third-plugin", {"x": "third_plugin:SPEC"}, GOOD.format("twice"))
    with pytest.raises(DuplicateName, match="'constant' is claimed by first-plugin and plismbench"):
        registry.get("constant")
    with pytest.raises(DuplicateName, match="'twice' is claimed by second-plugin and third-plugin"):
        registry.get("twice")
    problems = {entry.problem for entry in registry.registered() if entry.name == "twice"}
    assert problems == {"claimed by second-plugin and third-plugin"}
    assert registry.get("mean-color").name == "mean-color"
    assert "twice" not in registry.names()
    for name in ("first_plugin", "second_plugin", "third_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_model_that_is_left_out_says_why():
    with pytest.raises(UnknownName, match=r"'tinypath' is left out: .* try hf-hub:originbio/TinyPath"):
        registry.get("tinypath")


def test_another_size_and_another_pooling_are_names():
    spec = registry.get("h0-mini+cls+mean")
    assert (spec.name, spec.dim, spec.pooling) == ("h0-mini+cls+mean", 1536, "cls+mean")
    assert registry.get("conch@448").image_size == 448
    assert registry.get("midnight-12k@392+cls").name == "midnight-12k@392+cls"
    assert registry.get("h0-mini+cls") is registry.get("h0-mini")
    with pytest.raises(UnknownName, match=r"No extractor named 'h1-mini\+cls'\. Did you mean 'h0-mini'"):
        registry.get("h1-mini+cls")
    with pytest.raises(InvalidInput, match="pooling output; cls is not possible"):
        registry.get("conch+cls")


def test_a_plugin_may_have_a_name_like_a_variants(site, monkeypatch):
    install(site, "own-plugin", {"x": "own_plugin:SPEC"}, GOOD.format("own+cls"))
    assert registry.get("own+cls").name == "own+cls"
    monkeypatch.delitem(sys.modules, "own_plugin")


def test_files_are_specs(tmp_path):
    (tmp_path / "my-model.toml").write_text("dim = 8\nloader = 'plismbench.extractors.baselines:constant'")
    assert registry.get(f"{tmp_path}/my-model.toml").name == "my-model"
    (tmp_path / "mine.py").write_text("import torch\ndef load(spec):\n    return torch.nn.Flatten()")
    assert registry.get(f"{tmp_path}/mine.py:load").dim == 3 * 224 * 224


@pytest.mark.parametrize("name", ["h0-mini", "h0-mini+mean", "h0-mini+cls+mean"])
def test_a_pooling_is_that_of_the_registered_model(name):
    base = registry.get("h0-mini")
    assert registry.get(name, Pooling.CLS) is base
    assert registry.get(name, Pooling.MEAN) == registry.get("h0-mini+mean")
    assert registry.get(name, Pooling.CLS_MEAN).name == "h0-mini+cls+mean"
    assert registry.get(name.replace("h0-mini", "h0-mini@448"), Pooling.CLS).name == "h0-mini@448"
