"""Weights that are published as a low-rank change to those of another model."""

import re
from collections.abc import Collection, Sequence

from torch import Tensor

from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.misfits import faults_in_words
from plismbench.extractors.checkpoints.prefixes import beneath_prefix
from plismbench.extractors.checkpoints.weights import read_weights
from plismbench.extractors.spec import ExtractorSpec

# PEFT's names around those of the adapted model, which SEAL keeps as its `encoder`, beside heads for genes and organs.
_AROUND = re.compile(r"^(module\.)?(encoder\.)?base_model\.model\.")
_BESIDE = re.compile(r"^(module\.)?(decoder|projection_head|organ_emb)\.")
_FACTOR = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")


def adapted_weights(spec: ExtractorSpec, base: ExtractorSpec, drop: str) -> dict[str, Tensor]:
    """Every tensor of a model, changed as the checkpoint of another one says.

    Each layer that a spec says it changes has two factors in its checkpoint: W + scale · B A, in float32, in place
    of W, for A (rank, in), B (out, rank) and W (out, in). Any other tensor of the checkpoint that the changed model
    has takes the place of the one that it has.

    Source: Hu et al., LoRA, arXiv:2106.09685, equation 3; scale is their alpha / rank.

    Args:
        spec: names the checkpoint, and in ``options["adapts"]`` the ``layers`` that it changes, whole names or what
            they end in after a dot, their ``scale``, and the ``prefix`` that the checkpoint of ``base`` has before
            their names.
        base: the model that is changed, which `locations.base_of` finds.
        drop: as in `read_weights`, for ``base``.

    Raises:
        AccessDenied, Unavailable, CorruptFile: as `read_weights` does, for either checkpoint.
        InvalidInput: if a factor is missing or does not fit, or the checkpoint changes anything else.
    """
    adapts = spec.options["adapts"]
    prefix = adapts.get("prefix", "")
    factors: dict[tuple[str, str], Tensor] = {}
    whole: dict[str, Tensor] = {}
    for key, value in read_weights(spec).items():
        name = _AROUND.sub("", key)
        if found := _FACTOR.fullmatch(name):
            factors[found[1], found[2]] = value.float()
        elif not _BESIDE.match(key):
            whole[prefix + name.replace(".base_layer.", ".")] = value
    weights = read_weights(base, drop, prefix)
    there = [key.removesuffix(".weight") for key in beneath_prefix(weights, prefix) if key.endswith(".weight")]
    layers = _layers(adapts["layers"], there)
    wanted = {(layer, factor) for layer in layers for factor in "AB"}
    faults = {
        "missing": [f"lora_{factor} of {layer}" for layer, factor in sorted(wanted - factors.keys())],
        "unexpected": [
            *(f"lora_{factor} of {layer}" for layer, factor in sorted(factors.keys() - wanted)),
            *sorted(whole.keys() - weights.keys()),
        ],
        "not there to be changed:": [layer for layer in layers if f"{prefix}{layer}.weight" not in weights],
        "shape:": [
            f"{key} {tuple(value.shape)} where {tuple(weights[key].shape)} is"
            for key, value in whole.items()
            if key in weights and value.shape != weights[key].shape
        ],
    }
    _refuse(spec, faults)
    weights |= whole
    for layer in layers:
        down, up, weight = factors[layer, "A"], factors[layer, "B"], weights[f"{prefix}{layer}.weight"]
        if not down.ndim == up.ndim == 2 or down.shape[0] != up.shape[1] or weight.shape != (len(up), down.shape[1]):
            shapes = f"lora_B {tuple(up.shape)} and lora_A {tuple(down.shape)} of {layer}, {tuple(weight.shape)}"
            _refuse(spec, {"shape:": [shapes]})
        weights[f"{prefix}{layer}.weight"] = weight.float() + adapts["scale"] * up @ down
    return weights


def _layers(named: Sequence[str], there: Collection[str]) -> list[str]:
    """Whole names, as PEFT finds them for its ``target_modules``; a name that nothing ends in stays as it is."""
    layers: dict[str, None] = {}
    for name in named:
        ending = [each for each in there if each.endswith(f".{name}")]
        layers |= dict.fromkeys([name] if name in there else ending or [name])
    return list(layers)


def _refuse(spec: ExtractorSpec, faults: dict[str, list[str]]) -> None:
    if any(faults.values()):
        raise InvalidInput(
            f"Weights of {spec.weights} do not change {spec.options['adapts']['weights']} as extractor '{spec.name}'"
            f" says: {faults_in_words(faults)}.",
            hint="Compare `adapts` among the options of the spec with the page of the model.",
        )
