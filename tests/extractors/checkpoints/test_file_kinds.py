import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.file_kinds import existing_file, folder_hint, readable, refuse_other_kind
from plismbench.extractors.checkpoints.weights import read_weights
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(name="tiny", loader="plismbench.extractors.loaders:timm_model", dim=2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m.onnx", "an ONNX graph"),
        ("m.pt2", "an exported program"),
        ("m.npz", "an archive of NumPy"),
        ("model.safetensors.index.json", "the table of a checkpoint in several files"),
    ],
)
def test_what_holds_no_weights_is_named_by_its_name(tmp_path, name, words):
    np.savez(tmp_path / "m.npz", a=np.ones(2))
    (tmp_path / "m.npz").rename(tmp_path / name)
    spec = ExtractorSpec(name="tiny", loader=SPEC.loader, dim=2, weights=f"file:{tmp_path / name}")
    with pytest.raises(InvalidInput, match=rf"{name} of extractor 'tiny' is {words}, not weights\. Save "):
        read_weights(spec)


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_a_torchscript_program_is_named_by_what_is_in_it(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(nn.Linear(2, 2).state_dict(), path)
    refuse_other_kind(path, "x")
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)
    with pytest.raises(InvalidInput, match=r"x is a TorchScript program, not weights\. Save its network's state_dict"):
        refuse_other_kind(path, "x")


def test_of_a_folder_of_transformers_the_file_and_the_layout_are_told(tmp_path):
    assert folder_hint(tmp_path) == "Name a file in it."
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidInput, match=r"is a folder.*/model\.safetensors as `weights` of .* \"transformers\""):
        existing_file(tmp_path)


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder whose files no one may look up, root neither."""
    folder, stat = tmp_path / "locked", Path.stat
    folder.mkdir()

    def refusing(path, **options):
        if folder in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refusing)
    return folder


@pytest.mark.parametrize("read", [readable, existing_file])
def test_what_cannot_be_looked_up_is_one_line(locked, read):
    for path, why in (
        ("~nobodyatall/x.toml", "Could not determine home directory"),
        ("x" * 300, "File name too long"),
        ("a\0b", "embedded null"),
        (locked / "x.toml", "Permission denied"),
    ):
        with pytest.raises(InvalidInput, match=f"cannot be read: .*{why}.*\\. Correct"):
            read(path)
    with pytest.raises(InvalidInput, match="locked/config\\.json cannot be read: Permission denied"):
        folder_hint(locked)


def test_what_may_not_be_read_is_told_from_what_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.toml").touch()
    assert readable("~/x.toml") == existing_file("~/x.toml") == tmp_path / "x.toml"
    assert readable("~/x.toml/y") == tmp_path / "x.toml/y"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InvalidInput, match=r"~/x\.toml cannot be read: Permission denied"):
        existing_file("~/x.toml")
    with pytest.raises(InvalidInput, match=r"There is no file ~/y\.toml"):
        existing_file("~/y.toml")
