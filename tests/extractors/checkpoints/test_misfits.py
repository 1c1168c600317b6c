import pytest
import torch

from plismbench.extractors.checkpoints.key_maps import KEY_MAPS
from plismbench.extractors.checkpoints.misfits import misfit_hint

WANTED = {key: torch.ones(2) for key in ("cls_token", "norm.weight", "norm.bias")}


def hint(state):
    return misfit_hint(state, KEY_MAPS["timm"], "", state, WANTED)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({f"net.{key}": value for key, value in WANTED.items()}, 'All keys fit with prefix = "net."'),
        ({key: value.to(torch.int8) for key, value in WANTED.items()}, "before they were quantised"),
        ({"base_model.model.qkv.lora_A.default.weight": torch.ones(2)}, "merge_and_unload"),
        (
            {key.replace("norm", "fc_norm"): value for key, value in WANTED.items()},
            '"avg", among the options, and pooling = "output"',
        ),
        ({"fc_norm.weight": torch.ones(2)}, "Compare architecture"),
        ({"qkv.lora_A": torch.ones(2)}, "Compare architecture"),
    ],
)
def test_what_to_do_next(state, words):
    assert words in hint(state)
