import dataclasses
import json
import sys

import pytest
import torch
from checkpoints import publish

from plismbench.errors import AccessDenied, InvalidInput, MissingPackage, NeedsAction, Unavailable
from plismbench.extractors.checkpoints.locations import TRUST
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(
    name="remote", loader="plismbench.extractors.remote:remote_model", weights="hf-hub:Org/Remote",
    revision="3" * 40, dim=2, options={"output": "pooler_output"}, source="https://example.org/remote",
)  # fmt: skip
CONFIG = {"model_type": "plismbench_tiny", "architectures": ["TinyModel"],
          "auto_map": {"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TinyModel"}}  # fmt: skip
CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

class TinyConfig(PretrainedConfig):
    model_type = "plismbench_tiny"

class TinyModel(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(3, 2)
        self.post_init()

    def forward(self, pixel_values):
        return BaseModelOutputWithPooling(pooler_output=self.layer(pixel_values.mean((2, 3))))
"""
STATE = {"layer.weight": torch.tensor([[1.0, 0, 0], [0, 2, 0]]), "layer.bias": torch.tensor([0.5, 0])}


@pytest.fixture
def hub(hub, tmp_path, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.setenv(TRUST, "1")
    return hub


def write(tmp_path, state=STATE, config=CONFIG):
    folder = publish(tmp_path / "hub", "Org/Remote", config__json=config, model__safetensors=state)
    (folder / "modeling_tiny.py").write_text(CODE)


def test_the_code_of_a_repository_runs_when_it_is_allowed(tmp_path, hub):
    write(tmp_path)
    image = torch.zeros(1, 3, 4, 4)
    image[:, 1] = 3
    with torch.inference_mode():
        assert load_module(SPEC)(image).tolist() == [[0.5, 6.0]]
    assert hub.requested(f"resolve/{'3' * 40}/modeling_tiny.py")


def test_it_does_not_run_otherwise(tmp_path, hub, monkeypatch):
    write(tmp_path)
    monkeypatch.delenv(TRUST)
    with pytest.raises(NeedsAction, match="runs code of Org/Remote, at commit 3333") as caught:
        load_module(SPEC)
    assert caught.value.exit_code == 3
    assert "--trust-remote-code" in caught.value.hint
    assert hub.requests == []


@pytest.mark.parametrize("revision", [None, "main", "3" * 39])
def test_it_needs_a_pinned_commit(hub, revision):
    with pytest.raises(InvalidInput, match="pins no commit"):
        load_module(dataclasses.replace(SPEC, revision=revision))
    assert hub.requests == []


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"AutoModel": "Other/Repo--modeling_tiny.TinyModel"},
        {"AutoTokenizer": ["Other/Repo--tokenization_tiny.TinyTokenizer", None]},
    ],
)
def test_code_of_another_repository_is_refused(tmp_path, hub, elsewhere):
    write(tmp_path, config=CONFIG | {"auto_map": CONFIG["auto_map"] | elsewhere})
    with pytest.raises(InvalidInput, match="takes its code from another repository"):
        load_module(SPEC)
    assert not hub.requested("modeling_tiny")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"layer.weight": STATE["layer.weight"]}, r"missing keys layer\.bias"),
        (STATE | {"surplus": torch.ones(1)}, "unexpected keys surplus"),
        ({"layer.wait": STATE["layer.weight"], "layer.bias": STATE["layer.bias"]}, r"layer\.weight.*layer\.wait"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, hub, state, words):
    write(tmp_path, state=state)
    with pytest.raises(InvalidInput, match=words):
        load_module(SPEC)


def test_a_repository_that_is_not_granted(hub):
    with pytest.raises(AccessDenied, match="Org/Remote"):
        load_module(SPEC)


def test_a_repository_without_safetensors(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Remote", config__json=CONFIG, pytorch_model__bin=STATE)
    (folder / "modeling_tiny.py").write_text(CODE)
    with pytest.raises(Unavailable, match="transformers does not load Org/Remote"):
        load_module(SPEC)


def test_without_transformers_the_extra_is_named(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackage, match=r"pip install 'plismbench\[transformers\]'"):
        load_module(SPEC)


@pytest.mark.parametrize("command", [["models", "check"], ["profile", "--tiles=1", "--model"]])
def test_the_command_line_allows_it(command, tmp_path, hub, monkeypatch, capsys):
    from command_line import run_command

    write(tmp_path)
    monkeypatch.delenv(TRUST)
    fields = {"loader": SPEC.loader, "weights": SPEC.weights, "revision": SPEC.revision}
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    (tmp_path / "x.toml").write_text("\n".join(["dim = 2", *lines, "[options]", 'output = "pooler_output"']))
    monkeypatch.setenv("PLISMBENCH_ROOT", str(tmp_path / "root"))
    arguments = [*command, f"{tmp_path}/x.toml"]
    assert run_command(monkeypatch, capsys, *arguments).code == 3
    monkeypatch.setenv(TRUST, "0")  # undone after the test, whatever the command sets
    assert run_command(monkeypatch, capsys, *arguments, "--trust-remote-code").code == 0
