"""Two extractors from one entry point, which is a function."""

from plismbench import ExtractorSpec, Pooling


def specs():
    shared = {"loader": "plismbench_guest:load", "mean": (0, 0, 0), "std": (1, 1, 1), "license": "MIT"}
    return [
        ExtractorSpec(name="guest-a", dim=3, **shared),
        ExtractorSpec(name="guest-b", dim=6, pooling=Pooling.CLS_MEAN, prefix_tokens=1, **shared),
    ]


def load(spec):
    import torch

    class Channels(torch.nn.Module):
        """Mean of each channel; as tokens, with the maximum in front as the class token."""

        def forward(self, image):
            mean = image.mean((2, 3))
            if spec.pooling is Pooling.OUTPUT:
                return mean
            return torch.stack([image.amax((2, 3)), mean], dim=1)

    return Channels()
