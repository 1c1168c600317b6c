import pytest
import torch

from plismbench.extractors.catalog.lora import ADAPTED
from plismbench.extractors.towers import build_tower


@pytest.mark.parametrize("spec", ADAPTED, ids=lambda spec: spec.name)
def test_what_is_changed_is_the_last_block_of_a_pinned_model(spec):
    adapts = spec.options["adapts"]
    assert len(adapts["revision"]) == len(spec.revision) == 40
    assert adapts["weights"] != spec.weights
    with torch.device("meta"):
        module = build_tower(spec)
    linear = {name for name, layer in module.named_modules() if isinstance(layer, torch.nn.Linear)}
    last = f"blocks.{len(getattr(module, 'trunk', module).blocks) - 1}."
    assert sorted(adapts["layers"]) == sorted(name for name in linear if last in name)
