"""Networks without weights, as a spec's options describe them, and the strict filling of them."""

import contextlib
import importlib
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plismbench.errors import InvalidInput, UnknownName, words_of
from plismbench.extractors.checkpoints.key_maps import key_map_of, rearranged
from plismbench.extractors.checkpoints.misfits import faults_in_words, is_quantised, misfit_hint
from plismbench.extractors.checkpoints.prefixes import beneath_prefix, usual_prefix
from plismbench.extractors.options import TOWER, check_options
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.views import VIEWS, rotate_in_bfloat16

FITTED = "fitted_positions"
"""Attribute of a filled network: how its grid of position embeddings was resampled, in words; empty if it was not."""

_LAYERS = {"torch.nn", "timm.layers", __name__}


def build_tower(spec: ExtractorSpec) -> nn.Module:
    """The timm network of ``options["architecture"]``, as it is initialised.

    Options besides timm's: ``norm_eps`` of its layer norms; ``head``, widths of linear layers after
    the pooled output (one is a projection without bias, several have GELU between them);
    ``normalise``, whether the output gets unit length; ``pooler``, what attends to the tokens:
    ``attention`` (CONCH) or ``projections`` (CONCH v1.5); ``rope``, only ``bfloat16``, in which rotary
    position embeddings are rotated (GenBio-PathFM); ``view``, how a tile is seen: ``channels`` or
    ``two-scales``.

    Raises:
        UnknownName: if timm has no such architecture, or there is no such layout of keys.
        InvalidInput: if it does not take these options, or cannot see tiles of the spec's size.
    """
    import timm

    check_options(spec)
    key_map_of(spec)
    architecture = str(spec.options.get("architecture", ""))
    if not timm.is_model(architecture):
        raise UnknownName("timm architecture", architecture, timm.list_models())
    arguments = {key: resolve_layer(value) for key, value in spec.options.items() if key not in TOWER}
    if "norm_eps" in spec.options:
        arguments["norm_layer"] = partial(nn.LayerNorm, eps=spec.options["norm_eps"])
    try:
        module = timm.create_model(architecture, pretrained=False, **arguments)
    except Exception as error:  # whatever an argument of a wrong kind leads to
        culprits = [key for key in arguments if _builds(architecture, {k: v for k, v in arguments.items() if k != key})]
        which = f" with option {culprits[0]} = {spec.options.get(culprits[0])!r}" if culprits else ""
        raise InvalidInput(f"timm does not build '{spec.name}'{which}: {words_of(error)}.") from error
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", (1,))[0]
    if spec.image_size % patch:
        raise InvalidInput(f"'{spec.name}' has patches of {patch} pixels; {spec.image_size} is no multiple of that.")
    width = spec.dim if "pooler" in spec.options else module.num_features
    head = _head(width, spec.options.get("head", ()), bool(spec.options.get("normalise")))
    if "head" in spec.options and "pooler" not in spec.options:
        module.head = head
    if "rope" in spec.options:
        rotate_in_bfloat16(module)
    if "view" in spec.options:
        VIEWS[spec.options["view"]](module)
    if "pooler" in spec.options:
        return PooledTower(module, str(spec.options["pooler"]), spec.dim, head)
    return module


def fill(module: nn.Module, state: Mapping[str, Tensor], spec: ExtractorSpec) -> nn.Module:
    """The same network with a checkpoint's weights, every one of them, on the CPU in the network's own types.

    ``options["layout"]`` names the table of keys, ``options["prefix"]`` what stands before them, where the
    checkpoint holds more than this network; ``options["position"]`` says how position embeddings of another
    grid are fitted, by default bicubic with antialiasing, as timm does.

    Raises:
        InvalidInput: if a key is missing or unexpected, or a tensor has another shape, or integers for floats.
    """
    wanted = module.state_dict()
    prefix, key_map = str(spec.options.get("prefix", "")), key_map_of(spec)
    prefix += usual_prefix(beneath_prefix(state, prefix))
    found, origins = rearranged(beneath_prefix(state, prefix), key_map, wanted)
    trunk = "trunk." if "trunk.pos_embed" in wanted else ""
    fitted = ""
    if f"{trunk}pos_embed" in wanted and f"{trunk}pos_embed" in found:
        fitted = _fit_positions(found, trunk, wanted[f"{trunk}pos_embed"], spec.options.get("position", {}))
    pairs = [(prefix + origins[key], found[key], value) for key, value in wanted.items() if key in found]
    faults = {
        "missing": [key for key in wanted if key not in found],
        "unexpected": [prefix + origins[key] for key in found if key not in wanted],
        "shape:": [
            f"{name} is {tuple(given.shape)} where {tuple(value.shape)} is expected"
            for name, given, value in pairs
            if given.shape != value.shape
        ],
        "type:": [
            f"{name} is {_type(given)} where {_type(value)} is expected"
            for name, given, value in pairs
            if is_quantised(given, value)
        ],
    }
    if any(faults.values()):
        raise InvalidInput(
            f"Weights of {spec.weights} do not fit extractor '{spec.name}': {faults_in_words(faults)}.",
            hint=misfit_hint(state, key_map, prefix, found, wanted),
        )
    # Takes the tensors as they are, so that a network on the meta device need not be allocated first.
    module.load_state_dict({key: value.to(wanted[key].dtype) for key, value in found.items()}, assign=True)
    vars(module)[FITTED] = fitted
    return module


class AttentionPooler(nn.Module):
    """One learned query that attends to all tokens, as at the end of CONCH's tower.

    Args:
        width: of the tokens.
        dim: of the query and of the output.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.attn = nn.MultiheadAttention(dim, num_heads=8, kdim=width, vdim=width, batch_first=True)
        self.ln_q, self.ln_k = nn.LayerNorm(dim), nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to (n, dim)."""
        keys = self.ln_k(tokens)
        query = self.ln_q(self.query).expand(len(tokens), -1, -1)
        pooled: Tensor = self.attn(query, keys, keys, need_weights=False)[0]
        return pooled[:, 0]


class ProjectionPooler(nn.Module):
    """The same as CONCH v1.5 has it: separate projections without bias.

    Args:
        width: of the tokens.
        dim: of the query and of the output.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.ln_k, self.ln_q = nn.LayerNorm(width), nn.LayerNorm(dim)
        self.to_q, self.to_kv = nn.Linear(dim, dim, bias=False), nn.Linear(width, 2 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, tokens, width) to (n, dim)."""
        key, value = self.to_kv(self.ln_k(tokens)).unflatten(2, (2, 8, -1)).permute(2, 0, 3, 1, 4)
        query = self.to_q(self.ln_q(self.query)).unflatten(1, (8, -1)).transpose(0, 1)
        heads = functional.scaled_dot_product_attention(query.expand(len(tokens), -1, -1, -1), key, value)
        pooled: Tensor = self.to_out(heads.flatten(1))
        return pooled


class PooledTower(nn.Module):
    """A trunk that gives tokens, attention over them, a layer norm and perhaps a projection.

    CONCH's image tower, its projection left out, or that of open_clip's CoCa, with it.

    Args:
        trunk: a timm vision transformer.
        pooler: ``attention`` or ``projections``.
        dim: of the attention.
        head: what takes its output, normed.
    """

    def __init__(self, trunk: nn.Module, pooler: str, dim: int, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        kind = {"attention": AttentionPooler, "projections": ProjectionPooler}[pooler]
        self.attn_pool_contrast = kind(int(trunk.num_features), dim)  # type: ignore[arg-type]
        self.ln_contrast = nn.LayerNorm(dim)
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, dim), or as wide as the head."""
        pooled: Tensor = self.head(self.ln_contrast(self.attn_pool_contrast(self.trunk(image))))
        return pooled


class ConvStem(nn.Module):
    """CTransPath's first layers, in place of Swin's patch embedding; takes what timm gives a patch embedding."""

    def __init__(self, img_size: int, patch_size: int, embed_dim: int, norm_layer: Any, **_: Any) -> None:
        super().__init__()
        width = embed_dim // 8
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size // patch_size, img_size // patch_size)
        self.proj = nn.Sequential(
            *_halving(3, width), *_halving(width, 2 * width), nn.Conv2d(2 * width, embed_dim, kernel_size=1)
        )
        self.norm = norm_layer(embed_dim)

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, height / 4, width / 4, embed_dim)."""
        tokens: Tensor = self.norm(self.proj(image).permute(0, 2, 3, 1))
        return tokens


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _builds(architecture: str, arguments: Mapping[str, Any]) -> bool:
    import timm

    with contextlib.suppress(Exception), torch.device("meta"):  # as above
        timm.create_model(architecture, pretrained=False, **arguments)
        return True
    return False


class _UnitLength(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors.float(), dim=-1)


def _halving(width: int, wider: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(width, wider, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()


def _head(width: Any, widths: Sequence[int], normalise: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for dim in widths:
        layers += [nn.GELU()] if layers else []
        layers.append(nn.Linear(width, dim, bias=len(widths) > 1))
        width = dim
    return nn.Sequential(*layers, *([_UnitLength()] if normalise else []))


def _fit_positions(found: dict[str, Tensor], trunk: str, wanted: Tensor, position: Mapping[str, Any]) -> str:
    """Position embeddings on the grid of the tower, and that of a class token where the tower has its own.

    Says how, if they were resampled. A DINOv2 with registers adds position embedding 0 to its class token; timm's keeps
    the sum.
    """
    given = found[f"{trunk}pos_embed"]
    if given.shape == wanted.shape:
        return ""
    side, new_side = math.isqrt(given.shape[1]), math.isqrt(wanted.shape[1])
    prefix, new_prefix = given.shape[1] - side**2, wanted.shape[1] - new_side**2
    before, grid = given[:, :prefix], given[:, prefix:]
    if (prefix, new_prefix) == (1, 0) and f"{trunk}cls_token" in found:
        found[f"{trunk}cls_token"] = found[f"{trunk}cls_token"] + before
        before = before[:, :0]
    elif prefix != new_prefix:
        return ""
    fitted = ""
    if side != new_side:
        # DINO enlarges by a hair, which moves every sample: (14 + 0.1) / 28 is not 14 / 28.
        offset = position.get("offset", 0.0)
        how: dict[str, Any] = {"scale_factor": (new_side + offset) / side} if offset else {"size": (new_side, new_side)}
        image = grid.float().transpose(1, 2).reshape(1, -1, side, side)
        mode, antialias = position.get("interpolation", "bicubic"), position.get("antialias", True)
        image = functional.interpolate(image, mode=mode, antialias=antialias, align_corners=False, **how)
        fitted = f"{side} × {side} to {new_side} × {new_side}, {mode}, {'' if antialias else 'not '}antialiased"
        grid = image.flatten(2).transpose(1, 2).to(given.dtype)
    found[f"{trunk}pos_embed"] = torch.cat([before, grid], dim=1)
    return fitted


def resolve_layer(value: Any) -> Any:
    """What ``torch.nn.NAME``, ``timm.layers.NAME`` or a name of this module stands for; any other value as it is.

    Raises:
        InvalidInput: if another module is named, as importing it runs its code, or no layer is.
    """
    if not isinstance(value, str) or not value.startswith(("timm.", "torch.", "plismbench.")):
        return value
    module_name, _, name = value.rpartition(".")
    layer = getattr(importlib.import_module(module_name), name, None) if module_name in _LAYERS else None
    kind = layer.func if isinstance(layer, partial) else layer  # such as SwiGLUPacked
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        raise InvalidInput(f"There is no layer '{value}'.", hint="Write torch.nn.NAME or timm.layers.NAME.")
    return layer
