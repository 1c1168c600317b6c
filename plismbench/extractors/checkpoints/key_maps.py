"""Tables from the keys of published checkpoints to those of a timm tower."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from plismbench.errors import InvalidInput, UnknownName
from plismbench.extractors.spec import ExtractorSpec


@dataclass(frozen=True)
class KeyMap:
    """How a checkpoint names what a tower needs.

    Args:
        drop: keys at whose beginning this regular expression matches belong to another part of the
            checkpoint. Any other key that the tower does not have is an error.
        rename: regular expressions and their replacements, each applied in turn.
        change: what is done with the tensor of a key of the checkpoint that this regular expression is all of.
    """

    drop: str = r"(?!)"
    rename: tuple[tuple[str, str], ...] = ()
    change: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = ()


def _in_planes(patches: Tensor) -> Tensor:
    """The weights of a patch's pixels of three channels, as transformers has them, as timm's three planes."""
    return patches.reshape(len(patches), -1, 3).transpose(1, 2).flatten(1)


# What transformers writes for ViT, Dinov2 and Dinov2WithRegisters.
_TRANSFORMERS = KeyMap(
    drop=r"pooler\.|embeddings\.mask_token",
    rename=(
        (r"^embeddings\.(cls_token)", r"\1"),
        (r"^embeddings\.register_tokens", "reg_token"),
        (r"^embeddings\.position_embeddings", "pos_embed"),
        (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
        (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
        (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
        (r"\.attention\.output\.dense\.", ".attn.proj."),
        (r"\.intermediate\.dense\.|\.mlp\.weights_in\.", ".mlp.fc1."),
        (r"\.output\.dense\.|\.mlp\.weights_out\.|\.mlp\.down_proj\.", ".mlp.fc2."),
        (r"\.layer_scale(\d)\.lambda1", r".ls\1.gamma"),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"^layernorm\.", "norm."),
    ),
)
_TRANSFORMERS_CLIP = KeyMap(
    drop=r"text_model\.|text_projection\.|logit_scale|vision_model\.embeddings\.position_ids",
    rename=(
        (r"^vision_model\.", ""),
        (r"^embeddings\.class_embedding", "cls_token"),
        (r"^embeddings\.position_embedding\.weight", "pos_embed"),
        (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
        (r"^pre_layrnorm\.", "norm_pre."),  # so spelt in transformers
        (r"^post_layernorm\.", "norm."),
        (r"^encoder\.layers\.(\d+)\.", r"blocks.\1."),
        (r"\.self_attn\.q_proj\.", ".attn.query."),
        (r"\.self_attn\.k_proj\.", ".attn.key."),
        (r"\.self_attn\.v_proj\.", ".attn.value."),
        (r"\.self_attn\.out_proj\.", ".attn.proj."),
        (r"\.layer_norm(\d)\.", r".norm\1."),
        (r"^visual_projection\.", "head.0."),
    ),
)
# SigLIP's tower has no class token, and a pooler that timm has too.
_TRANSFORMERS_SIGLIP = KeyMap(
    drop=r"text_model\.|logit_",
    rename=(
        *_TRANSFORMERS_CLIP.rename,
        (r"^head\.probe$", "attn_pool.latent"),
        (r"^head\.attention\.in_proj_", "attn_pool.qkv."),
        (r"^head\.attention\.out_proj\.", "attn_pool.proj."),
        (r"^head\.layernorm\.", "attn_pool.norm."),
        (r"^head\.mlp\.", "attn_pool.mlp."),
    ),
)
# The tower of a Gemma 4, among its language model.
_TRANSFORMERS_GEMMA = KeyMap(
    drop=r"lm_head\.|model\.(language_model|audio_tower|embed_vision|embed_audio)\.",
    rename=(
        (r"^model\.vision_tower\.", ""),
        (r"^patch_embedder\.input_proj\.weight$", "patch_embed.input_proj.weight"),
        (r"^patch_embedder\.", "patch_embed."),
        (r"^encoder\.layers\.(\d+)\.", r"blocks.\1."),
        (r"\.input_layernorm\.", ".norm1."),
        (r"\.post_attention_layernorm\.", ".norm2."),
        (r"\.pre_feedforward_layernorm\.", ".norm3."),
        (r"\.post_feedforward_layernorm\.", ".norm4."),
        (r"\.self_attn\.", ".attn."),
    ),
    change=((r"(model\.vision_tower\.)?patch_embedder\.input_proj\.weight", _in_planes),),
)
# `CLAM_ViT` of zhihuanglab/iSight: a CLIP of transformers, of which neither last norm nor projection is used.
_ISIGHT = KeyMap(
    drop=r"patch_encoder\.(text_model|text_projection|visual_projection|vision_model\.post_layernorm)\.|"
    r"patch_encoder\.(logit_scale|vision_model\.embeddings\.position_ids)|"
    r"(cell_type_projection|attention_net|text_projection_to_visual_dim|classifiers)\.",
    rename=(
        (r"^patch_encoder\.", ""),
        (r"^visual_token_projection\.", "head."),
        *_TRANSFORMERS_CLIP.rename,
    ),
)
# The whole model of open_clip, of its own vision transformer or of one of timm's.
_OPEN_CLIP = KeyMap(
    drop=r"(module\.)?(text|transformer|token_embedding|ln_final)\.|"
    r"(module\.)?(positional_embedding|text_projection|logit_|attn_mask)",
    rename=(
        (r"^module\.", ""),
        (r"^visual\.trunk\.", ""),
        (r"^visual\.head\.proj\.", "head.0."),
        (r"^visual\.proj$", "head.0.weight"),
        (r"^visual\.class_embedding", "cls_token"),
        (r"^visual\.positional_embedding", "pos_embed"),
        (r"^visual\.conv1\.", "patch_embed.proj."),
        (r"^visual\.ln_pre\.", "norm_pre."),
        (r"^visual\.ln_post\.", "norm."),
        (r"^visual\.transformer\.resblocks\.(\d+)\.", r"blocks.\1."),
        (r"\.ln_(\d)\.", r".norm\1."),
        (r"(blocks\.\d+\.attn\.)in_proj_", r"\1qkv."),
        (r"(blocks\.\d+\.attn\.)out_proj\.", r"\1proj."),
        (r"\.mlp\.c_fc\.", ".mlp.fc1."),
        (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    ),
    change=((r"(module\.)?visual\.proj", lambda projection: projection.T),),
)
# open_clip's CoCa: each of its queries attends for itself, and the first makes the vector.
_COCA = KeyMap(
    drop=r"(module\.)?(text|text_decoder)\.|(module\.)?logit_scale",
    rename=(
        (r"^(module\.)?visual\.attn_pool\.query$", "attn_pool_contrast.query"),
        (r"^(module\.)?visual\.attn_pool\.", "attn_pool_contrast."),
        (r"^(module\.)?visual\.ln_post\.", "ln_contrast."),
        *_OPEN_CLIP.rename,
        (r"^(?!attn_pool_contrast\.|ln_contrast\.|head\.)", "trunk."),
    ),
    change=((r"(module\.)?visual\.attn_pool\.query", lambda queries: queries[:1]), *_OPEN_CLIP.change),
)
# Blocks in chunks, for FSDP. Networks of timm that have stages of blocks are named alike: theirs stay as they are.
_CHUNKED = (r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.")
# Meta's DINO and DINOv2, alone or in a training state: prefixes, heads, and blocks in chunks.
_DINO = KeyMap(
    drop=r"(module\.)?(backbone\.)?mask_token|(module\.)?(dino_head|ibot_head|head|fc|classifier)\.",
    rename=(
        (r"^module\.", ""),
        (r"^backbone\.", ""),
        _CHUNKED,
        (r"^register_tokens", "reg_token"),
        (r"\.mlp\.w12\.", ".mlp.fc1."),
        (r"\.mlp\.w3\.", ".mlp.fc2."),
    ),
)
# MoCo v3 with one more token in front of the class token: timm's first token, and its second.
_PATHODUET = KeyMap(
    drop=r"head\.|bridge_token",
    rename=((r"^cls_token$", "reg_token"), (r"^pretext_token$", "cls_token")),
)
# Meta's DINOv3, as GenBio trains it.
_GENBIO = KeyMap(
    rename=(
        (r"^storage_tokens", "reg_token"),
        (r"^rope_embed\.", "rope."),
        (r"\.ls(\d)\.gamma", r".gamma_\1"),
        (r"\.mlp\.w1\.", ".mlp.fc1_g."),
        (r"\.mlp\.w2\.", ".mlp.fc1_x."),
        (r"\.mlp\.w3\.", ".mlp.fc2."),
    ),
)
# BEiT-3, of torchscale, has everything twice: A is for images, B for text.
_BEIT3 = KeyMap(
    drop=r".*\.B\.|(language|vision)_head\.|logit_scale|beit3\.(text_embed|vision_embed\.mask_token)",
    rename=(
        (r"^beit3\.", ""),
        (r"\.A\.", "."),
        (r"^vision_embed\.cls_token", "cls_token"),
        (r"^vision_embed\.", "patch_embed."),
        (r"^encoder\.embed_positions\.weight", "pos_embed"),
        (r"^encoder\.layer_norm\.", "norm."),
        (r"^encoder\.layers\.(\d+)\.", r"blocks.\1."),
        (r"\.self_attn_layer_norm\.", ".norm1."),
        (r"\.final_layer_norm\.", ".norm2."),
        (r"\.self_attn\.q_proj\.", ".attn.query."),
        (r"\.self_attn\.k_proj\.", ".attn.key."),
        (r"\.self_attn\.v_proj\.", ".attn.value."),
        (r"\.self_attn\.out_proj\.", ".attn.proj."),
        (r"\.self_attn\.inner_attn_ln\.", ".attn.norm."),
        (r"\.ffn\.ffn_layernorm\.", ".mlp.norm."),
        (r"\.ffn\.fc(\d)\.", r".mlp.fc\1."),
    ),
    # fairseq counts positions from 2.
    change=((r"(beit3\.)?encoder\.embed_positions\.(A\.)?weight", lambda positions: positions[2:]),),
)
KEY_MAPS = {
    # A classifier, and buffers that older versions of timm wrote.
    "timm": KeyMap(drop=r"(head|fc|classifier)\.|.*\.(relative_position_index|attn_mask)$"),
    "transformers": _TRANSFORMERS,
    "transformers-clip": _TRANSFORMERS_CLIP,
    "transformers-siglip": _TRANSFORMERS_SIGLIP,
    "transformers-gemma": _TRANSFORMERS_GEMMA,
    "isight": _ISIGHT,
    "open-clip": _OPEN_CLIP,
    "coca": _COCA,
    "dino": _DINO,
    "pathoduet": _PATHODUET,
    "beit3": _BEIT3,
    "genbio": _GENBIO,
    "encoder": KeyMap(drop=r"(head|fc)\.", rename=((r"^encoder\.", ""),)),
    "conch": KeyMap(
        drop=r"text\.|text_decoder\.|logit_scale|visual\.(attn_pool_caption|ln_caption|proj_contrast)",
        rename=((r"^visual\.", ""),),
    ),
    "keep": KeyMap(
        drop=r"text\.|logit_scale",
        rename=((r"^visual\.", ""), (r"^visual_head\.", "head."), (r"\.(ls\d)\.weight", r".\1.gamma")),
    ),
}
_TOGETHER = (("attn.qkv", ("attn.query", "attn.key", "attn.value")), ("mlp.fc1", ("mlp.gate_proj", "mlp.up_proj")))
_APART = ("attn_pool.qkv.", "attn_pool.q.", "attn_pool.kv.")


def key_map_of(spec: ExtractorSpec) -> KeyMap:
    """The key map that ``options["layout"]`` names; timm's own if it names none.

    Raises:
        UnknownName: if there is none of that name.
    """
    name = str(spec.options.get("layout", "timm"))
    if name not in KEY_MAPS:
        raise UnknownName("layout", name, KEY_MAPS)
    return KEY_MAPS[name]


def rearranged(
    state: Mapping[str, Tensor], key_map: KeyMap, wanted: Collection[str]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A checkpoint under a tower's keys, and for each key the one that it had.

    Queries, keys and values become one matrix, and so do gate and value of a SwiGLU; in timm's attention
    pooler queries stand apart. The class token and the position embeddings get the leading dimensions of
    timm's. Keys in ``wanted`` are never dropped.

    Raises:
        InvalidInput: if two keys of the checkpoint become one.
    """
    found: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    staged = any(re.match(_CHUNKED[0], key) for key in wanted)
    rename = [rule for rule in key_map.rename if not (staged and rule == _CHUNKED)]
    for key, value in state.items():
        if key not in wanted and re.match(key_map.drop, key):
            continue
        name = key
        for pattern, replacement in rename:
            name = re.sub(pattern, replacement, name)
        for pattern, changed in key_map.change:
            if re.fullmatch(pattern, key):
                value = changed(value)
        if name.removeprefix("trunk.") in ("cls_token", "pos_embed") and value.ndim < 3:
            value = value.reshape((1,) * (3 - value.ndim) + tuple(value.shape))
        if name in found:
            raise InvalidInput(f"Keys {origins[name]} and {key} of the checkpoint both become {name}.")
        found[name], origins[name] = value, key
    for whole, parts in _TOGETHER:
        for first in [name for name in found if f".{parts[0]}." in name and name not in wanted]:
            names = [first.replace(parts[0], part) for part in parts]
            if all(name in found for name in names):
                fused = first.replace(parts[0], whole)
                found[fused], origins[fused] = torch.cat([found.pop(name) for name in names]), origins[first]
    whole, query, key_value = _APART
    for fused in [name for name in found if name.startswith(whole)]:
        value, origin = found.pop(fused), origins[fused]
        for name, part in ((query, value[: len(value) // 3]), (key_value, value[len(value) // 3 :])):
            found[fused.replace(whole, name)], origins[fused.replace(whole, name)] = part, origin
    return found, origins
