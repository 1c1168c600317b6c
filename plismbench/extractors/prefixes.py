"""What stands before the names of a network in a checkpoint that holds it among others, or wrapped."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress

from torch import Tensor

from plismbench.errors import InvalidInput
from plismbench.extractors.key_maps import KeyMap, rearranged

_WRAPPED = "module."  # by torch's DistributedDataParallel


def usual_prefix(state: Mapping[str, Tensor]) -> str:
    """What is left out where nobody names a prefix: ``module.`` where all have it."""
    return _WRAPPED if all(key.startswith(_WRAPPED) for key in state) else ""


def beneath_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, named without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def fitting_prefixes(state: Mapping[str, Tensor], key_map: KeyMap, wanted: Collection[str]) -> list[str]:
    """The prefixes beneath which a checkpoint has every key that a network wants, and no other."""
    counts = Counter(key[: at + 1] for key in state for at, letter in enumerate(key) if letter == ".")
    fitting = []
    for prefix, n_keys in counts.items():
        if n_keys >= len(wanted) // 2:  # queries, keys and values may be one there or three
            with suppress(InvalidInput, RuntimeError):  # two keys become one, or a tensor is none of the expected kind
                found, _ = rearranged(beneath_prefix(state, prefix), key_map, wanted)
                if found.keys() == set(wanted):
                    fitting.append(prefix)
    return fitting
