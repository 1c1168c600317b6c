import numpy as np
import pytest
import torch
from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.file_kinds import existing_file, folder_hint, refuse_other_kind
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.weights import read_weights

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
