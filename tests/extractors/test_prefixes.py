import dataclasses

import pytest
import torch
from checkpoints import SMALL, TIMM, tower
from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.key_maps import KEY_MAPS
from plismbench.extractors.loaders import load_module
from plismbench.extractors.prefixes import beneath_prefix, fitting_prefixes, usual_prefix
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, dim=24, pooling="cls", prefix_tokens=1, image_size=32,
    options={"architecture": "vit_small_patch16_224", "global_pool": "", "img_size": 32, **SMALL},
)  # fmt: skip


def load(path, state, **options):
    torch.save({"state_dict": state}, path)
    spec = dataclasses.replace(SPEC, weights=f"file:{path}", options={**SPEC.options, **options})
    return load_module(spec)


def beneath(prefix, state):
    return {f"{prefix}{key}": value for key, value in state.items()}


def test_one_part_of_a_checkpoint():
    state = {"a.x": torch.ones(1), "b.x": torch.zeros(1)}
    assert beneath_prefix(state, "a.") == {"x": torch.ones(1)}
    assert beneath_prefix(state, "") == state
    assert (usual_prefix(state), usual_prefix(beneath("module.", state))) == ("", "module.")
    assert usual_prefix({"module.x": torch.ones(1), "x": torch.ones(1)}) == ""


def test_what_is_trained_on_several_gpus_is_read_as_it_is(tmp_path):
    module = tower(SPEC)
    wrapped = nn.DataParallel(module)  # named as by DistributedDataParallel, which needs a process group
    found = load(tmp_path / "x.pth", wrapped.state_dict())
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in found.state_dict().items())


def test_the_prefixes_that_fit_are_told_and_one_is_taken(tmp_path):
    student, teacher = (tower(SPEC).state_dict() for _ in range(2))
    teacher = {key: value + 1 for key, value in teacher.items()}
    state = {
        **beneath("student.", student), **beneath("teacher.net.", teacher), "student_head.weight": torch.ones(2)
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="missing cls_token") as caught:
        load(tmp_path / "x.pth", state)
    assert caught.value.hint == (
        'All keys fit with prefix = "student." or prefix = "teacher.net." among the options of a .toml file.'
    )
    found = load(tmp_path / "x.pth", state, prefix="teacher.net.").state_dict()
    assert all(torch.equal(value, teacher[key]) for key, value in found.items())
    with pytest.raises(InvalidInput, match="All keys fit with prefix = "):
        load(tmp_path / "x.pth", state, prefix="studnt.")
    del state["student.norm.weight"], state["teacher.net.norm.weight"]
    with pytest.raises(InvalidInput, match="Compare architecture"):
        load(tmp_path / "x.pth", state, prefix="student.")
    with pytest.raises(InvalidInput, match="option prefix is text"):
        load(tmp_path / "x.pth", state, prefix=3)


def test_prefixes_stand_before_the_names_of_a_layout():
    state = {"net.encoder.layer.0.attention.output.dense.bias": torch.ones(1), "net.pooler.x": torch.ones(1)}
    wanted = {"blocks.0.attn.proj.bias"}
    assert fitting_prefixes(state, KEY_MAPS["transformers"], wanted) == ["net."]
