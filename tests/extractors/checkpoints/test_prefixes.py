import dataclasses

import pytest
import torch
from checkpoints import SMALL, TIMM, tower
from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.key_maps import KEY_MAPS
from plismbench.extractors.checkpoints.prefixes import beneath_prefix, fitting_prefixes, table_of, usual_prefix
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, dim=24, pooling="cls", prefix_tokens=1, image_size=32,
    options={"architecture": "vit_small_patch16_224", "global_pool": "", "img_size": 32, **SMALL},
)  # fmt: skip


def load(path, state, **options):
    return load_file(path, {"state_dict": state}, **options)


def load_file(path, held, **options):
    torch.save(held, path)
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
    assert usual_prefix(beneath("module._orig_mod.", state)) == "module._orig_mod."
    assert usual_prefix({}) == ""


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


def one_and_another():
    one = tower(SPEC).state_dict()
    return one, {key: value + 1 for key, value in one.items()}


def holds(module, state):
    return all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("wrapper", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_of_dino_the_teacher_is_taken_and_the_student_can_be(tmp_path, wrapper):
    student, teacher = one_and_another()
    held = {
        "student": beneath(f"{wrapper}backbone.", student) | {"dino_head.x": torch.ones(3)},
        "teacher": beneath("backbone.", teacher) | {"dino_head.x": torch.ones(3)},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}},
    }
    if wrapper:
        del held["student"]["dino_head.x"]
    path = tmp_path / "x.pth"
    assert holds(load_file(path, held, layout="dino"), teacher)
    assert holds(load_file(path, held, layout="dino", prefix="student."), student)
    assert holds(load_file(path, held, layout="dino", prefix="teacher."), teacher)
    assert holds(load_file(path, held, prefix=f"student.{wrapper}backbone."), student)
    with pytest.raises(InvalidInput, match=r"unexpected student\.(module\.)?(_orig_mod\.)?backbone\.") as caught:
        load_file(path, held, prefix="student.")
    assert f'prefix = "student.{wrapper}backbone." or prefix = "teacher.backbone."' in caught.value.hint


AVERAGED = [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("model", "ema"), ("model", "teacher"),
            ("model_state_dict", "swa.module")]  # fmt: skip


@pytest.mark.parametrize(("plain", "averaged"), AVERAGED)
def test_weights_beside_their_average_are_not_chosen_between(tmp_path, plain, averaged):
    first, second = one_and_another()
    table, _, inner = averaged.partition(".")
    held = {plain: first, table: {inner: second} if inner else second, "epoch": 3}
    path = tmp_path / "x.pth"
    with pytest.raises(
        InvalidInput, match=r"x\.pth of extractor 'tiny' holds the same weights more than once"
    ) as caught:
        load_file(path, held)
    assert f'prefix = "{plain}."' in caught.value.hint
    assert f'prefix = "{averaged}."' in caught.value.hint
    assert holds(load_file(path, held, prefix=f"{plain}."), first)
    assert holds(load_file(path, held, prefix=f"{averaged}."), second)
    within = {name: beneath("net.", table) for name, table in ((plain, first), ("other", second))}
    with pytest.raises(InvalidInput, match=rf'prefix = "{plain}\.net\." or prefix = "other\.net\."'):
        load_file(path, within, prefix="net.")


def test_another_network_beside_the_weights_is_no_second_choice():
    """Such as a larger one that it was distilled from, the centre of DINO's loss, or an optimiser's state."""
    held = {
        "model": {"a.weight": torch.ones(2, 3), "b": torch.ones(2)},
        "larger": {"a.weight": torch.ones(4, 3), "b": torch.ones(4)},
        "dino_loss": {"center": torch.ones(1, 3)},
        "optimizer": {"state": {"a.weight": {"exp_avg": torch.ones(2, 3)}}},
        "optim_g": {"exp_avg": {"a.weight": torch.ones(2, 3), "b": torch.ones(2)}},
    }
    assert table_of(held, "", "x") == held["model"]


def test_a_prefix_is_of_the_names_before_it_is_of_a_table():
    inner = {"model.a": torch.ones(2), "head": torch.ones(3)}
    assert table_of({"model": inner}, "model.", "x") == inner
    assert table_of({"model": inner}, "model.model.", "x") == beneath("model.", inner)
    assert table_of({"model": {"a": torch.ones(2)}}, "model.", "x").keys() == {"model.a"}
    twice = {"model": inner, "model_ema": inner}  # no prefix: the message names the tables, which must then be found
    assert table_of(twice, "model.", "x").keys() >= {"model.model.a", "model.head", "model_ema.head"}


def test_a_table_of_another_name_is_told(tmp_path):
    state, _ = one_and_another()
    with pytest.raises(InvalidInput, match=r"is not a table of tensors\. It has tables net\. to name as `prefix`"):
        load_file(tmp_path / "x.pth", {"net": state, "epoch": 3})
    assert holds(load_file(tmp_path / "x.pth", {"net": state, "epoch": 3}, prefix="net."), state)
    with pytest.raises(InvalidInput, match=r"It has tables ema\. to name"):
        table_of({"step": torch.ones(1), "ema": state}, "", "x")
    with pytest.raises(InvalidInput, match=r"x is not a table of tensors\. Save the network's state_dict"):
        table_of({"step": torch.ones(1), "epoch": 3}, "", "x")
