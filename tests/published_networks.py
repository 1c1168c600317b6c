"""Published networks that no package has whole, written the slow obvious way under the names of their checkpoints."""

import math

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPModel, Gemma4VisionModel


def _named(**modules):
    return nn.ModuleDict(modules)


class GenBio(nn.Module):
    """GenBio-PathFM, narrow: DINOv3 over one channel at a time, its rotations in bfloat16.

    Its authors' `genbio_pathfm.model` gives bit for bit the vectors that this and the loaded tower give.
    """

    def __init__(self, width=24, heads=2, depth=2, hidden=64, patch=16):
        super().__init__()
        self.heads = heads
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.storage_tokens = nn.Parameter(torch.zeros(1, 4, width))
        self.patch_embed = _named(proj=nn.Conv2d(1, width, patch, patch))
        self.rope_embed = nn.Module()
        self.rope_embed.register_buffer("periods", torch.tensor([1.0, 4.65625, 21.625], dtype=torch.bfloat16))
        self.blocks = nn.ModuleList(self._block(width, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    @staticmethod
    def _block(width, hidden):
        scales = [nn.Module(), nn.Module()]
        for scale in scales:
            scale.gamma = nn.Parameter(torch.ones(width))
        return _named(
            norm1=nn.LayerNorm(width, eps=1e-6),
            attn=_named(qkv=nn.Linear(width, 3 * width, bias=False), proj=nn.Linear(width, width)),
            ls1=scales[0],
            norm2=nn.LayerNorm(width, eps=1e-6),
            mlp=_named(w1=nn.Linear(width, hidden), w2=nn.Linear(width, hidden), w3=nn.Linear(hidden, width)),
            ls2=scales[1],
        )

    def forward(self, image):
        return torch.cat([self._tokens(image[:, channel : channel + 1]) for channel in range(3)], dim=2)

    def _tokens(self, grey):
        patches = self.patch_embed["proj"](grey)
        angles = self._angles(*patches.shape[2:])
        first = torch.cat([self.cls_token, self.storage_tokens], dim=1).expand(len(grey), -1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        for block in self.blocks:
            tokens = tokens + self._attention(block["attn"], block["norm1"](tokens), angles) * block["ls1"].gamma
            mlp, given = block["mlp"], block["norm2"](tokens)
            tokens = tokens + mlp["w3"](functional.silu(mlp["w1"](given)) * mlp["w2"](given)) * block["ls2"].gamma
        return self.norm(tokens)

    def _angles(self, rows, columns):
        table = []
        for row in range(rows):
            for column in range(columns):
                angles = []
                for place, side in ((row, rows), (column, columns)):
                    centre = torch.tensor(place + 0.5, dtype=torch.bfloat16) / side * 2 - 1
                    angles.append(2 * math.pi * centre / self.rope_embed.periods)
                table.append(torch.cat(angles + angles))
        return torch.stack(table)

    def _attention(self, attn, tokens, angles):
        heads = attn["qkv"](tokens).chunk(3, dim=2)
        outputs = []
        for query, key, value in zip(*(each.chunk(self.heads, dim=2) for each in heads), strict=True):
            turned = [self._turned(each.bfloat16(), angles).float() for each in (query, key)]
            weights = (turned[0] @ turned[1].transpose(1, 2) / math.sqrt(query.shape[2])).softmax(dim=2)
            outputs.append(weights @ value)
        return attn["proj"](torch.cat(outputs, dim=2))

    @staticmethod
    def _turned(heads, angles):
        patches = heads[:, 5:]
        left, right = patches.chunk(2, dim=2)
        turned = patches * angles.cos() + torch.cat([-right, left], dim=2) * angles.sin()
        return torch.cat([heads[:, :5], turned], dim=1)


class Musk(nn.Module):
    """MUSK, narrow: BEiT-3 with a twin of everything for text, at two scales."""

    def __init__(self, width=24, heads=2, depth=2, side=32, patch=16):
        super().__init__()
        self.heads, patches = heads, (side // patch) ** 2
        vision = _named(proj=nn.Conv2d(3, width, patch, patch))
        vision.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        vision.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        encoder = _named(
            embed_positions=_named(A=nn.Embedding(patches + 3, width), B=nn.Embedding(7, width)),
            layers=nn.ModuleList(self._layer(width) for _ in range(depth)),
            layer_norm=self._twins(nn.LayerNorm, width),
        )
        self.beit3 = _named(text_embed=nn.Embedding(9, width), vision_embed=vision, encoder=encoder)
        self.language_head = nn.Linear(width, width, bias=False)
        self.vision_head = nn.Linear(width, width, bias=False)
        self.logit_scale = nn.Parameter(torch.ones(()))

    @staticmethod
    def _twins(kind, *sizes):
        return _named(A=kind(*sizes), B=kind(*sizes))

    def _layer(self, width):
        def feed_forward():
            return _named(
                fc1=nn.Linear(width, 4 * width), ffn_layernorm=nn.LayerNorm(4 * width), fc2=nn.Linear(4 * width, width)
            )

        return _named(
            self_attn=_named(
                **{name: self._twins(nn.Linear, width, width) for name in ("q_proj", "k_proj", "v_proj", "out_proj")},
                inner_attn_ln=self._twins(nn.LayerNorm, width),
            ),
            self_attn_layer_norm=self._twins(nn.LayerNorm, width),
            ffn=self._twins(feed_forward),
            final_layer_norm=self._twins(nn.LayerNorm, width),
        )

    def forward(self, image):
        side = image.shape[2]
        large = functional.interpolate(image, size=2 * side, mode="bicubic")
        corners = [(0, 0), (0, side), (side, 0), (side, side)]
        quarters = [self._class_token(large[:, :, y : y + side, x : x + side]) for y, x in corners]
        return torch.cat([self._class_token(image), sum(quarters) / 4], dim=1)

    def _class_token(self, image):
        vision, encoder = self.beit3["vision_embed"], self.beit3["encoder"]
        patches = vision["proj"](image).flatten(2).transpose(1, 2)
        tokens = torch.cat([vision.cls_token.expand(len(image), -1, -1), patches], dim=1)
        tokens = tokens + encoder["embed_positions"]["A"].weight[2:]
        for layer in encoder["layers"]:
            tokens = tokens + self._attention(layer["self_attn"], layer["self_attn_layer_norm"]["A"](tokens))
            ffn, given = layer["ffn"]["A"], layer["final_layer_norm"]["A"](tokens)
            tokens = tokens + ffn["fc2"](ffn["ffn_layernorm"](functional.gelu(ffn["fc1"](given))))
        return encoder["layer_norm"]["A"](tokens)[:, 0]

    def _attention(self, attn, tokens):
        parts = [attn[name]["A"](tokens).chunk(self.heads, dim=2) for name in ("q_proj", "k_proj", "v_proj")]
        outputs = []
        for query, key, value in zip(*parts, strict=True):
            weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[2])).softmax(dim=2)
            outputs.append(weights @ value)
        return attn["out_proj"]["A"](attn["inner_attn_ln"]["A"](torch.cat(outputs, dim=2)))


class ISight(nn.Module):
    """`CLAM_ViT` of zhihuanglab/iSight, as far as one tile goes: the mean over its projected tokens.

    Args:
        config: of the CLIP of transformers inside.
    """

    def __init__(self, config):
        super().__init__()
        width = config.vision_config.hidden_size
        self.patch_encoder = CLIPModel(config)
        self.attention_net = _named(attention_c=nn.Linear(width, 1))
        self.visual_token_projection = nn.Linear(width, width)
        self.text_projection_to_visual_dim = nn.Linear(width, width)
        self.classifiers = nn.ModuleList([nn.Linear(width, 4)])

    def forward(self, image):
        told = self.patch_encoder.vision_model(image, output_hidden_states=True)
        return self.visual_token_projection(told.hidden_states[-1]).mean(dim=1)


class Gemma(nn.Module):
    """The tower of a Gemma 4, fed as transformers' processor feeds it: patches of pixels, and where each lies.

    Args:
        config: of transformers' tower.
    """

    def __init__(self, config):
        super().__init__()
        self.tower = Gemma4VisionModel(config)

    def forward(self, image):
        n, _, height, width = image.shape
        patches, places = [], []
        for top in range(0, height, 16):
            for left in range(0, width, 16):
                patch = image[:, :, top : top + 16, left : left + 16]
                patches.append(torch.stack([patch[:, :, y, x] for y in range(16) for x in range(16)], dim=1).flatten(1))
                places.append((left // 16, top // 16))
        told = self.tower(torch.stack(patches, dim=1), torch.tensor([places] * n))
        return told.last_hidden_state.reshape(n, len(patches) // 9, -1)


class PathoDuet(nn.Module):
    """`VisionTransformerMoCo` of openmedlab/PathoDuet, narrow: the mean of the patches, normed."""

    def __init__(self, width=24, heads=2, depth=2, side=32, patch=16):
        super().__init__()
        self.heads = heads
        self.pretext_token = nn.Parameter(torch.zeros(1, 1, width))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 2 + (side // patch) ** 2, width))
        self.patch_embed = _named(proj=nn.Conv2d(3, width, patch, patch))
        self.blocks = nn.ModuleList(
            _named(
                norm1=nn.LayerNorm(width, eps=1e-6),
                attn=_named(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width)),
                norm2=nn.LayerNorm(width, eps=1e-6),
                mlp=_named(fc1=nn.Linear(width, 4 * width), fc2=nn.Linear(4 * width, width)),
            )
            for _ in range(depth)
        )
        self.fc_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, image):
        patches = self.patch_embed["proj"](image).flatten(2).transpose(1, 2)
        first = [self.pretext_token.expand(len(image), -1, -1), self.cls_token.expand(len(image), -1, -1)]
        tokens = torch.cat([*first, patches], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = tokens + self._attention(block["attn"], block["norm1"](tokens))
            tokens = tokens + block["mlp"]["fc2"](functional.gelu(block["mlp"]["fc1"](block["norm2"](tokens))))
        return self.fc_norm(tokens[:, 2:].mean(dim=1))

    def _attention(self, attn, tokens):
        outputs = []
        for query, key, value in zip(
            *(each.chunk(self.heads, dim=2) for each in attn["qkv"](tokens).chunk(3, dim=2)), strict=True
        ):
            weights = (query @ key.transpose(1, 2) / math.sqrt(query.shape[2])).softmax(dim=2)
            outputs.append(weights @ value)
        return attn["proj"](torch.cat(outputs, dim=2))
