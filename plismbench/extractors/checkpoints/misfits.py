"""How a checkpoint does not fit a network, in words, and what to do about it."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from plismbench.errors import few_of
from plismbench.extractors.checkpoints.key_maps import KeyMap
from plismbench.extractors.checkpoints.prefixes import UNQUANTISED, fitting_prefixes

_NORM, _AVERAGE_NORM = ({f"{name}.weight", f"{name}.bias"} for name in ("norm", "fc_norm"))


def faults_in_words(faults: Mapping[str, Sequence[str]]) -> str:
    """``missing a, b; unexpected c``, the first of each kind; empty if there are none."""
    return "; ".join(f"{what} {few_of(keys, 4)}" for what, keys in faults.items() if keys)


def is_quantised(given: Tensor, wanted: Tensor) -> bool:
    """Whether integers are given for floats; the step that they count in is not in the tensor."""
    return wanted.is_floating_point() and not given.is_floating_point()


def misfit_hint(
    state: Mapping[str, Tensor], key_map: KeyMap, prefix: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> str:
    """What to do next, in words.

    Args:
        state: the checkpoint.
        key_map: of the spec.
        prefix: beneath which its names were read.
        found: the same under the network's names.
        wanted: what the network has.
    """
    fitting = [fit for fit in fitting_prefixes(state, key_map, wanted) if fit != prefix]
    if fitting:
        prefixes = " or ".join(f'prefix = "{fit}"' for fit in fitting)
        return f"All keys fit with {prefixes} among the options of a .toml file."
    if any(is_quantised(found[key], value) for key, value in wanted.items() if key in found):
        return UNQUANTISED
    if any("base_model.model." in key and ".lora_A." in key for key in state):
        return "Save the state_dict() of what PEFT's merge_and_unload() gives, or name the other model in a .toml file."
    if (wanted.keys() - found.keys(), found.keys() - wanted.keys()) == (_NORM, _AVERAGE_NORM):
        return (
            "The weights have their last norm after the tokens were pooled: in a .toml file, with global_pool as they"
            ' were trained, such as "avg", among the options, and pooling = "output".'
        )
    return "Compare architecture, options and layout of the spec with the page of the model."
