"""Networks whose code lies beside their weights on the Hub, for those that no tower here can hold."""

import os
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from plismbench.errors import InvalidInput, NeedsAction, Unavailable
from plismbench.extractors.checkpoints.locations import COMMIT, TRUST
from plismbench.extractors.checkpoints.misfits import faults_in_words
from plismbench.extractors.checkpoints.weights import hub_json, hub_place
from plismbench.extractors.spec import ExtractorSpec
from plismbench.hub import hub_errors


class RemoteNetwork(nn.Module):
    """A network of transformers, as one of the things that it gives.

    Args:
        network: called with ``pixel_values``.
        output: ``last_hidden_state``, which is tokens, or ``pooler_output``.
    """

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network, self.output = network, output

    def forward(self, image: Tensor) -> Tensor:
        """(n, 3, height, width) to tokens or vectors."""
        given: Tensor = getattr(self.network(pixel_values=image), self.output)
        return given


def remote_model(spec: ExtractorSpec) -> nn.Module:
    """What the code of a pinned repository builds; ``options["output"]`` is what of it is taken.

    Raises:
        InvalidInput: if the spec pins no commit, the code lies in yet another repository, or the
            weights do not fit it.
        NeedsAction: unless the person agreed to run it.
        AccessDenied, Unavailable: if the repository cannot be had, or lacks safetensors.
    """
    repo, _ = hub_place(spec)
    if not COMMIT.fullmatch(spec.revision or ""):
        raise InvalidInput(
            f"Extractor '{spec.name}' runs code of {repo} and pins no commit of it; got '{spec.revision}'.",
            hint="Read the code, and give the 40 digits of that commit as revision.",
        )
    require_trust(spec, "code")
    from transformers import AutoModel

    elsewhere = [value for value in _words(hub_json(spec, "config.json").get("auto_map", {})) if "--" in value]
    if elsewhere:
        raise InvalidInput(f"{repo} takes its code from another repository, which no commit pins: {elsewhere[0]}.")
    folder = downloaded(spec, ["*.py", "*.json", "*.safetensors"])
    try:
        network, loading_info = AutoModel.from_pretrained(
            folder, trust_remote_code=True, local_files_only=True, output_loading_info=True
        )
    except OSError as error:  # transformers says so of what is not there, such as weights that are no safetensors
        raise Unavailable(f"transformers does not load {repo}: {' '.join(str(error).split())}") from error
    kinds = ("missing keys", "unexpected keys", "mismatched keys")
    faults = {what: sorted(map(str, loading_info[what.replace(" ", "_")])) for what in kinds}
    if any(faults.values()):
        raise InvalidInput(f"Weights of {spec.weights} do not fit extractor '{spec.name}': {faults_in_words(faults)}.")
    return RemoteNetwork(network, str(spec.options["output"]))


def require_trust(spec: ExtractorSpec, what: str) -> None:
    """Refuses code, or a graph that can do more than compute, of the repository of a spec, unless the person agreed.

    Raises:
        NeedsAction: unless --trust-remote-code or its variable is set.
    """
    repo, _ = hub_place(spec)
    commit = f"commit {spec.revision}" if spec.revision else "its newest commit"
    if os.environ.get(TRUST) != "1":
        raise NeedsAction(
            f"Extractor '{spec.name}' runs {what} of {repo}, at {commit}.",
            hint=f"Read it on {spec.source or repo}; then allow it with --trust-remote-code or {TRUST}=1.",
        )


def downloaded(spec: ExtractorSpec, wanted: list[str]) -> Path:
    """The folder with those files of the repository of a spec.

    Args:
        spec: names the repository and its revision.
        wanted: patterns of names.

    Raises:
        AccessDenied, Unavailable: if it cannot be had.
    """
    from huggingface_hub import snapshot_download

    repo, _ = hub_place(spec)
    with hub_errors(repo, spec.revision, kind="model"):
        return Path(snapshot_download(repo, revision=spec.revision, allow_patterns=wanted))


def _words(value: Any) -> list[str]:
    """Every text in a nest of tables and lists."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [word for each in inner for word in _words(each)]
