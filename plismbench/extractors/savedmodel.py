"""Networks that are published as a SavedModel of TensorFlow."""

import os
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from plismbench.errors import CorruptFile, InvalidInput, NeedsAction, Unavailable, words_of
from plismbench.extractors.checkpoints.weights import hub_place
from plismbench.extractors.remote import downloaded, require_trust
from plismbench.extractors.spec import ExtractorSpec

_FILES = ["saved_model.pb", "fingerprint.pb", "variables/*", "assets/*"]


class SavedModel(nn.Module):
    """What a SavedModel serves, in float32 whatever the precision.

    Args:
        tf: the module of TensorFlow.
        loaded: the SavedModel; its ``serving_default`` takes tiles with their channels last.
        output: what of its outputs is taken.
    """

    def __init__(self, tf: Any, loaded: Any, output: str) -> None:
        super().__init__()
        self._tf, self._loaded, self._output = tf, loaded, output  # a signature alone does not keep its variables
        self._signature = loaded.signatures["serving_default"]
        # Not computed with, and one number each: what counts parameters looks for them here.
        shapes = [tuple(variable.shape) for variable in self._signature.variables]
        self.variables = nn.ParameterList(nn.Parameter(torch.zeros(()).expand(shape)) for shape in shapes)

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, dim).

        Raises:
            NeedsAction: if the tiles are on a GPU and TensorFlow has none.
            torch.OutOfMemoryError: if the memory is not enough.
        """
        if image.device.type == "cuda" and not self._tf.config.list_physical_devices("GPU"):
            raise NeedsAction(
                "TensorFlow finds no GPU here.", hint="Use --device cpu, or `pip install 'tensorflow[and-cuda]'`."
            )
        place = f"GPU:{image.device.index or 0}" if image.device.type == "cuda" else "CPU:0"
        try:
            with self._tf.device(place):
                given = self._signature(self._tf.constant(image.permute(0, 2, 3, 1).float().cpu().numpy()))
        except self._tf.errors.ResourceExhaustedError as error:
            raise torch.OutOfMemoryError(str(error)) from error
        return torch.from_numpy(given[self._output].numpy()).to(image.device)


def saved_model(spec: ExtractorSpec) -> nn.Module:
    """The ``serving_default`` signature of a SavedModel on the Hub; ``options["output"]`` is what of it is taken.

    Its graph is a program: it may read and write files, so it runs only when allowed, as code of a repository does.

    Raises:
        NeedsAction: unless the person agreed to run it.
        AccessDenied, Unavailable: if the repository cannot be had, or has no SavedModel.
        CorruptFile: if TensorFlow cannot read it.
        InvalidInput: if it does not take tiles of the spec's size, or gives no such output.
    """
    repo, _ = hub_place(spec)
    require_trust(spec, "the TensorFlow graph")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # else it tells stderr about instruction sets
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(torch.get_num_threads()))  # a worker's share of the cores
    import_module("torch._dynamo")  # its LLVM before TensorFlow's: the other way round the process is aborted
    import tensorflow as tf

    folder = downloaded(spec, _FILES)
    if not (folder / "saved_model.pb").is_file():
        raise Unavailable(
            f"{repo} has no saved_model.pb at revision '{spec.revision or 'main'}'.", hint=f"Look at {spec.source}."
        )
    for gpu in tf.config.list_physical_devices("GPU"):  # or it takes all memory of each
        tf.config.experimental.set_memory_growth(gpu, True)
    try:
        loaded = tf.saved_model.load(str(folder))
    except (OSError, tf.errors.OpError) as error:
        raise CorruptFile(
            f"TensorFlow cannot read {folder}: {words_of(error)}.",
            # Its files are links, and what they lead to counts as downloaded.
            hint=f"Remove {folder.parents[1]}, so that it is downloaded again.",
        ) from error
    output, side = str(spec.options["output"]), spec.image_size
    signature = loaded.signatures.get("serving_default")
    takes = [] if signature is None else list(signature.structured_input_signature[1].values())
    if len(takes) != 1 or not takes[0].is_compatible_with(tf.TensorSpec((2, side, side, 3), tf.float32)):
        inputs = ", ".join(f"{each.dtype.name} {each.shape}" for each in takes) or "nothing as serving_default"
        raise InvalidInput(
            f"The SavedModel of {repo} takes {inputs}; extractor '{spec.name}' gives float32 (n, {side}, {side}, 3).",
            hint="Its size is fixed: leave out @SIZE, or correct `image_size` in the spec.",
        )
    if output not in signature.structured_outputs:
        there = ", ".join(sorted(signature.structured_outputs))
        raise InvalidInput(
            f"The SavedModel of {repo} gives {there}; extractor '{spec.name}' wants {output}.",
            hint="Name one of them as `output` among the options of the spec.",
        )
    return SavedModel(tf, loaded, output)
