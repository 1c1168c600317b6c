"""What stands before the names of a network in a checkpoint that holds it among others, or wrapped."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor

from plismbench.errors import InvalidInput, few_of
from plismbench.extractors.checkpoints.key_maps import KeyMap, rearranged

# A training state holds the network under one of these, beside an optimiser and the like.
_USUAL = ("teacher", "state_dict", "model", "model_state_dict")
_STUDENT = "student."  # of DINO: whoever names no table means the teacher beside it
_WRAPPERS = ("module.", "_orig_mod.")  # of torch's DistributedDataParallel, and of its compiler

UNQUANTISED = "Save the weights in floating point, as they were before they were quantised."
"""What to do about quantised weights."""


def table_of(held: Any, prefix: str, file: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint among which a network's are, by name.

    They are those of the table that a training state usually has them in. A prefix that none of its names begins
    with may begin with the name of a table in the file: then they are the tensors of all tables, the names joined
    with dots.

    Args:
        held: what the file holds.
        prefix: of the network's names, perhaps empty.
        file: what messages call it.

    Raises:
        InvalidInput: if there is no such table, or another holds the same names, such as averaged weights, and the
            prefix does not say which is meant.
    """
    tables = _tables(held)
    everything = {before + name: value for before, table in tables.items() for name, value in table.items()}
    before = ""
    while isinstance(held, Mapping):
        inside = (name for name in _USUAL if isinstance(held.get(name), Mapping))
        if (name := next(inside, None)) is None:
            break
        before, held = f"{before}{name}.", held[name]
    plain = isinstance(held, Mapping) and all(isinstance(value, Tensor) for value in held.values())
    alike = _alike(tables, before)
    inner = plain and not alike and any(name.startswith(prefix) for name in held)
    if prefix and not inner and any(name.startswith(prefix) for name in everything):
        return everything
    if not plain:
        hint = "Save the network's state_dict() alone."
        if isinstance(held, Mapping) and any("._packed_params." in str(name) for name in held):  # of torch.ao
            hint = UNQUANTISED
        elif named := [name for name in tables if name]:
            hint = f"It has tables {few_of(named, 8)} to name as `prefix` among the options of a .toml file."
        raise InvalidInput(f"{file} is not a table of tensors.", hint=hint)
    if alike:
        either = " or ".join(f'prefix = "{name}{prefix}"' for name in (before, *alike))
        raise InvalidInput(
            f"{file} holds the same weights more than once, as training leaves them beside their average.",
            hint=f"Say which, among the options of a .toml file: {either}.",
        )
    return dict(held)


def _tables(held: Any, before: str = "") -> dict[str, dict[str, Tensor]]:
    """The tensors of every table in a file, by what stands before their names."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, value in held.items() if isinstance(held, Mapping) else ():
        if isinstance(value, Tensor):
            found.setdefault(before, {})[str(name)] = value
        else:
            found |= _tables(value, f"{before}{name}.")
    return found


def _alike(tables: Mapping[str, Mapping[str, Tensor]], chosen: str) -> list[str]:
    """The other tables that have half or more of the chosen one's tensors, by name and shape.

    None of an optimiser's, which may keep its moments by the names of the parameters.
    """

    def shapes(table: Mapping[str, Tensor]) -> set[tuple[str, tuple[int, ...]]]:
        return {(name, tuple(value.shape)) for name, value in beneath_prefix(table, usual_prefix(table)).items()}

    own = shapes(tables.get(chosen, {}))
    of_teacher = chosen.endswith("teacher.")
    return [
        before
        for before, table in tables.items()
        if before != chosen
        and own
        and not before.startswith("optim")
        and 2 * len(own & shapes(table)) >= len(own)
        and not (of_teacher and before == f"{chosen.removesuffix('teacher.')}{_STUDENT}")
    ]


def usual_prefix(state: Mapping[str, Tensor]) -> str:
    """What is left out by itself: ``module.`` or ``_orig_mod.``, or both, where all names have it."""
    prefix = ""
    while wrapper := next((each for each in _WRAPPERS if state and _all_have(state, prefix + each)), ""):
        prefix += wrapper
    return prefix


def _all_have(state: Mapping[str, Tensor], prefix: str) -> bool:
    return all(key.startswith(prefix) for key in state)


def beneath_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, named without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def fitting_prefixes(state: Mapping[str, Tensor], key_map: KeyMap, wanted: Collection[str]) -> list[str]:
    """The shortest prefixes beneath which a checkpoint has every key that a network wants, and no other."""
    counts = Counter(key[: at + 1] for key in state for at, letter in enumerate(key) if letter == ".")
    fitting: list[str] = []
    for prefix, n_keys in counts.items():
        longer = any(prefix.startswith(shorter) for shorter in fitting)
        if not longer and n_keys >= len(wanted) // 2:  # queries, keys and values may be one there or three
            with suppress(InvalidInput, RuntimeError):  # two keys become one, or a tensor is none of the expected kind
                found, _ = rearranged(beneath_prefix(state, prefix), key_map, wanted)
                if found.keys() == set(wanted):
                    fitting.append(prefix)
    return fitting
