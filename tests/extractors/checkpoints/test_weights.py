import dataclasses
import hashlib
import warnings
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import TIMM, publish
from loopback_hub import Fault, FaultKind

from plismbench.errors import CorruptFile, InvalidInput, Unavailable
from plismbench.extractors.checkpoints.file_kinds import file_sha256
from plismbench.extractors.checkpoints.weights import hub_json, hub_place, read_weights
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(name="tiny", loader=TIMM, weights="hf-hub:Org/Tiny", revision="1" * 40, dim=2)
STATE = {"a.weight": torch.arange(4.0), "b": torch.ones(2, 2)}


# The last two are how DINO and open_clip write their training states.
WRAPPED = [STATE, {"state_dict": STATE}, {"model": STATE}, {"model_state_dict": STATE, "scheduler_state_dict": {}},
           {"teacher": STATE, "epoch": 3, "args": Namespace(lr=0.1)},
           {"state_dict": STATE, "optimizer": {"param_groups": [{"lr": np.float64(0.1)}]}}]  # fmt: skip


class NotATensor:
    """What a pickle can hold that would run code when read."""


def at(weights, revision="1" * 40):
    return dataclasses.replace(SPEC, weights=weights, revision=revision)


def test_a_number_of_an_older_numpy_is_read(tmp_path, hub):
    """Its module had another name when open_clip wrote most of its training states."""
    path = tmp_path / "state.pt"
    state = {"state_dict": STATE, "lr": np.float64(0.1)}
    torch.save(state, path, _use_new_zipfile_serialization=False, pickle_protocol=2)
    written = path.read_bytes()
    assert b"cnumpy._core.multiarray\nscalar" in written
    path.write_bytes(written.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert list(read_weights(at(f"file:{path}", revision=None))) == list(STATE)


def test_safetensors_come_before_a_pickle(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", model__safetensors=STATE, pytorch_model__bin={"c": torch.ones(1)})
    assert list(read_weights(SPEC)) == list(STATE)
    assert not hub.requested("pytorch_model")


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_named_file_is_read_wherever_its_tensors_are(tmp_path, hub, wrapped):
    publish(tmp_path / "hub", "Org/Tiny", deep__pth=wrapped)
    found = read_weights(at("hf-hub:Org/Tiny/deep.pth"))
    assert torch.equal(found["a.weight"], STATE["a.weight"])
    assert set(found) == set(STATE)


def test_a_pickle_that_needs_more_than_tensors_is_refused(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", x__pth={"a": NotATensor()})
    with pytest.raises(InvalidInput, match=r"x\.pth of .* holds more than tensors \(.*NotATensor\) and is not loaded"):
        read_weights(at("hf-hub:Org/Tiny/x.pth"))


def test_numbers_beside_tensors_are_no_table(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", x__pth={"a": 3})
    with pytest.raises(InvalidInput, match=r"is not a table of tensors\. Save the network's state_dict\(\) alone"):
        read_weights(at("hf-hub:Org/Tiny/x.pth"))


@pytest.mark.filterwarnings("ignore")  # torch warns that it will drop these
def test_layers_that_torch_quantised_are_no_weights(tmp_path):
    network = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(4, 2)), {torch.nn.Linear})
    torch.save({"state_dict": network.state_dict()}, tmp_path / "x.pth")
    with warnings.catch_warnings(action="error"), pytest.raises(InvalidInput, match="before they were quantised"):
        read_weights(at(f"file:{tmp_path / 'x.pth'}", None))


@pytest.mark.parametrize("name", ["x.safetensors", "x.pth"])
@pytest.mark.parametrize("kept", [0, 60, 5_000, 200_000])
def test_half_a_file_is_named(tmp_path, name, kept):
    publish(tmp_path, "Org/Tiny", **{name.replace(".", "__"): {"weight": torch.zeros(100, 1_000)}})
    path = tmp_path / "models/Org/Tiny" / name
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CorruptFile, match=rf"{name} cannot be read: [^.\[].*\. Copy it again, whole\.") as caught:
        read_weights(at(f"file:{path}", None))
    if kept == 200_000:
        assert "cannot be read: it ends too early." in str(caught.value)


def test_a_spoilt_file_of_the_hub_comes_again_once_it_is_removed_as_told(tmp_path, hub):
    path = publish(tmp_path / "hub", "Org/Tiny", model__safetensors=STATE) / "model.safetensors"
    right = path.read_bytes()
    path.write_bytes(b"\xff" * len(right))
    with pytest.raises(CorruptFile, match=r"model\.safetensors cannot be read") as caught:
        read_weights(SPEC)
    path.write_bytes(right)
    Path(caught.value.hint.removeprefix("Remove ").partition(",")[0]).unlink()
    assert set(read_weights(SPEC)) == set(STATE)


def test_a_file_that_is_not_there(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", config__json={})
    with pytest.raises(Unavailable, match=r"Org/Tiny has no model\.safetensors and no pytorch_model\.bin"):
        read_weights(SPEC)
    with pytest.raises(InvalidInput, match=r"Weights of extractor .tiny.: There is no file .* Correct the name"):
        read_weights(at(f"file:{tmp_path / 'x.pth'}", None))
    with pytest.raises(InvalidInput, match="weights 'zenodo:1', which is no place"):
        read_weights(at("zenodo:1"))


def test_an_address_is_downloaded_once(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", x__torch=STATE)
    digest = hashlib.sha256((folder / "x.torch").read_bytes()).hexdigest()
    spec = at(f"{hub.url}/Org/Tiny/resolve/main/x.torch", digest)
    assert set(read_weights(spec)) == set(read_weights(spec)) == set(STATE)
    assert len(hub.requested("GET .*x.torch")) == 1


def test_an_address_that_gives_another_file_leaves_none(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", x__torch=STATE)
    spec = at(f"{hub.url}/Org/Tiny/resolve/main/x.torch", "0" * 64)
    with pytest.raises(CorruptFile, match=r"x\.torch is not the file that 'tiny' pins"):
        read_weights(spec)
    assert list((tmp_path / "torch/checkpoints").iterdir()) == []


def test_a_pin_holds_for_what_is_cached(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", x__torch=STATE)
    address = f"{hub.url}/Org/Tiny/resolve/main/x.torch"
    read_weights(at(address, None))
    (cached,) = (tmp_path / "torch/checkpoints").iterdir()
    with pytest.raises(CorruptFile, match="is not the file that 'tiny' pins") as caught:
        read_weights(at(address, "0" * 64))
    assert caught.value.hint == f"Remove {cached} and run the same command again."
    digest = hashlib.sha256((folder / "x.torch").read_bytes()).hexdigest()
    cached.write_bytes(cached.read_bytes() + b"0")
    with pytest.raises(CorruptFile, match="is not the file"):
        read_weights(at(address, digest))


def test_a_pin_holds_for_a_file(tmp_path):
    path = publish(tmp_path, "Org/Tiny", x__pth=STATE) / "x.pth"
    assert set(read_weights(at(f"file:{path}", file_sha256(path)))) == set(STATE)
    with pytest.raises(CorruptFile, match=r"x\.pth is not the file that 'tiny' pins, of SHA-256 000"):
        read_weights(at(f"file:{path}", "0" * 64))


def test_a_page_in_place_of_weights_is_not_kept(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", x__torch=STATE)
    address = f"{hub.url}/Org/Tiny/resolve/main/x.torch"
    right = (folder / "x.torch").read_bytes()
    (folder / "x.torch").write_text("<html>Please log in</html>")
    with pytest.raises(CorruptFile, match=r"gave no file of torch or safetensors; it begins with b'<html>"):
        read_weights(at(address, None))
    assert list((tmp_path / "torch/checkpoints").iterdir()) == []
    (folder / "x.torch").write_bytes(right)
    read_weights(at(address, None))
    (cached,) = (tmp_path / "torch/checkpoints").iterdir()
    cached.write_bytes(right[:100])
    with pytest.raises(CorruptFile, match="cannot be read") as caught:
        read_weights(at(address, None))
    assert str(cached) in caught.value.hint


@pytest.mark.parametrize("weights", ["hf-hub:foo", "hf-hub:a--b/c..d", "hf-hub:/x"])
def test_what_is_no_repository(weights):
    with pytest.raises(InvalidInput, match="which is no repository of the Hub"):
        hub_place(at(weights))


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(InvalidInput, match="is a folder"):
        read_weights(at(f"file:{tmp_path}"))


def test_an_address_that_does_not_answer(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", x__torch=STATE)
    hub.faults.append(Fault("x.torch", FaultKind.STATUS, times=1, status=404))
    with pytest.raises(Unavailable, match="answers status 404"):
        read_weights(at(f"{hub.url}/Org/Tiny/resolve/main/x.torch", None))
    with pytest.raises(Unavailable, match="Cannot reach http://127"):
        read_weights(at("http://127.0.0.1:9/x.torch", None))
    hub.faults.append(Fault("x.torch", FaultKind.TRUNCATE, times=1))
    with pytest.raises(Unavailable):
        read_weights(at(f"{hub.url}/Org/Tiny/resolve/main/x.torch", None))
    assert set(read_weights(at(f"{hub.url}/Org/Tiny/resolve/main/x.torch", None))) == set(STATE)


def test_places_on_the_hub():
    assert hub_place(SPEC) == ("Org/Tiny", None)
    assert hub_place(at("hf-hub:Org/Tiny/folder/x.pth")) == ("Org/Tiny", "folder/x.pth")


def test_json_beside_the_weights(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", config__json={"a": 1})
    assert hub_json(SPEC, "config.json") == {"a": 1}
    assert hub_json(SPEC, "preprocessor_config.json") == {}
    n_requests = len(hub.requests)
    assert hub_json(SPEC, "preprocessor_config.json") == {}  # a pinned revision never gets the file
    assert len(hub.requests) == n_requests
    (folder / "bad.json").write_text("{")
    with pytest.raises(CorruptFile, match=r"bad\.json of Org/Tiny is not JSON"):
        hub_json(SPEC, "bad.json")


INDEX = {"weight_map": {"a.weight": "one.safetensors", "b": "two.safetensors", "text.c": "three.safetensors"}}


def test_shards_are_put_together_and_those_of_another_part_left_where_they_are(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", model__safetensors__index__json=INDEX,
                     one__safetensors={"a.weight": STATE["a.weight"]}, two__safetensors={"b": STATE["b"]})  # fmt: skip
    found = read_weights(SPEC, drop=r"text\.")
    assert {key: value.tolist() for key, value in found.items()} == {k: v.tolist() for k, v in STATE.items()}
    with pytest.raises(Unavailable, match=r"no three\.safetensors, which its model\.safetensors\.index\.json"):
        read_weights(at("hf-hub:Org/Tiny", revision="2" * 40))
    (folder / "deep").mkdir()
    for path in folder.glob("*.*"):
        path.rename(folder / "deep" / path.name)
    found = read_weights(at("hf-hub:Org/Tiny/deep/model.safetensors.index.json", "3" * 40), drop=r"text\.")
    assert list(found) == list(STATE)


@pytest.mark.parametrize("index", [{}, {"weight_map": 3}, []])
def test_an_index_that_names_no_shards_is_one_line(tmp_path, hub, index):
    publish(tmp_path / "hub", "Org/Tiny", model__safetensors__index__json=index)
    with pytest.raises(CorruptFile, match="of Org/Tiny does not say which file holds which tensor"):
        read_weights(SPEC)
