"""Tiny checkpoints with the keys and files of published ones, each beside the network that made it."""

import json

import timm
import torch
from safetensors.torch import save_file
from torch import nn

from plismbench.extractors.towers import build_tower

TIMM = "plismbench.extractors.loaders:timm_model"
SWIGLU = {"mlp_layer": "timm.layers.SwiGLUPacked", "act_layer": "torch.nn.SiLU"}
SMALL = {"num_classes": 0, "embed_dim": 24, "depth": 2, "num_heads": 2}


def randomised(module, seed=0):
    """The same with every parameter drawn anew, so that no zero or one hides a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
    return module.eval()


def publish(root, repo, **files):
    """Writes a model repository under the root of a loopback Hub; ``name__ext`` is ``name.ext``."""
    folder = root / "models" / repo
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if path.suffix == ".json":
            path.write_text(json.dumps(content))
        elif path.suffix == ".safetensors":
            save_file({key: value.contiguous().clone() for key, value in content.items()}, path)
        else:
            torch.save(content, path)
    return folder


def tower(spec):
    """The network of a spec with random weights."""
    return randomised(build_tower(spec))


def dinov2_keys(module):
    """A timm DINOv2's weights under the names that Meta gives them, in two chunks of blocks."""
    state = {"mask_token": torch.zeros(1, module.num_features)}
    for key, value in module.state_dict().items():
        key = key.replace("reg_token", "register_tokens")
        if isinstance(module.blocks[0].mlp, timm.layers.GluMlp):
            key = key.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        if key.startswith("blocks."):
            key = key.replace("blocks.", f"blocks.{key.split('.')[1]}.", 1)
        state[key] = value.clone()
    if "register_tokens" in state:  # Meta has a position embedding for the class token
        first = torch.full((1, 1, module.num_features), 0.25)
        state["cls_token"] = state["cls_token"] - first
        state["pos_embed"] = torch.cat([first, state["pos_embed"]], dim=1)
    return state


def open_clip_keys(module):
    """A timm CLIP tower's weights as open_clip names them, beside some of a text tower."""
    names = (
        ("cls_token", "visual.class_embedding"),
        ("pos_embed", "visual.positional_embedding"),
        ("patch_embed.proj.", "visual.conv1."),
        ("norm_pre.", "visual.ln_pre."),
        ("blocks.", "visual.transformer.resblocks."),
        (".norm", ".ln_"),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj.", "attn.out_proj."),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )
    state = {"logit_scale": torch.ones(()), "positional_embedding": torch.ones(7, 8), "transformer.x": torch.ones(2)}
    for key, value in module.state_dict().items():
        if key.startswith("norm."):
            key = key.replace("norm.", "visual.ln_post.")
        for ours, theirs in names:
            key = key.replace(ours, theirs)
        if key == "head.0.weight":
            key, value = "visual.proj", value.T
        state[key] = value.squeeze(0) if key.endswith("positional_embedding") else value
        if key == "visual.class_embedding":
            state[key] = value.flatten()
    return state


def coca_training_state(module):
    """What open_clip's training of a CoCa leaves, its image tower that of a `PooledTower`."""
    own = {key: value for key, value in open_clip_keys(module.trunk).items() if key.startswith("visual.")}
    for key, value in module.state_dict().items():
        if key == "head.0.weight":
            own["visual.proj"] = value.T
        elif key == "attn_pool_contrast.query":
            own["visual.attn_pool.query"] = torch.cat([value, torch.randn(3, value.shape[1])])
        elif not key.startswith("trunk."):
            own[f"visual.{key.replace('attn_pool_contrast', 'attn_pool').replace('ln_contrast', 'ln_post')}"] = value
    besides = {
        "text.x": torch.ones(2),
        "text_decoder.resblocks.0.ln_1.bias": torch.ones(2),
        "logit_scale": torch.ones(()),
    }
    return {"epoch": 3, "state_dict": {f"module.{key}": value for key, value in (own | besides).items()}}


def conch_keys(module):
    """A CONCH image tower's weights beside what its checkpoint holds besides."""
    besides = ("text.x", "text_decoder.x", "logit_scale", "visual.proj_contrast", "visual.attn_pool_caption.query")
    own = {f"visual.{key}": value for key, value in module.state_dict().items()}
    return own | {key: torch.ones(3) for key in besides}


def dino_training_state(module):
    """What DINOv2 training leaves: a teacher with a backbone and a head, and more."""
    teacher = {f"module.backbone.{key}": value for key, value in dinov2_keys(module).items()}
    return {"teacher": teacher | {"module.dino_head.mlp.0.weight": torch.ones(2)}, "iteration": 3}


class Forward(nn.Module):
    """A network of transformers, as what it gives for pixels."""

    def __init__(self, network, attribute):
        super().__init__()
        self.network, self.attribute = network, attribute

    def forward(self, image):
        return getattr(self.network(pixel_values=image), self.attribute)
