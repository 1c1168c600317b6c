"""From a spec to a network."""

import re
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from plismbench.errors import BrokenPlugin, InvalidInput, MissingPackage, PlismbenchError, words_of
from plismbench.extractors.adhoc import module_of_file
from plismbench.extractors.checkpoints.key_maps import key_map_of
from plismbench.extractors.checkpoints.locations import HUB, TIMM, base_of, extra_of
from plismbench.extractors.checkpoints.lora import adapted_weights
from plismbench.extractors.checkpoints.weights import read_checkpoint, read_weights
from plismbench.extractors.hubconfig import check_hub_config, hub_architecture
from plismbench.extractors.options import TOWER, check_options
from plismbench.extractors.pinning import timm_address, timm_repository
from plismbench.extractors.registry import GROUP
from plismbench.extractors.spec import CODE, ExtractorSpec
from plismbench.extractors.towers import build_tower, fill, resolve_layer
from plismbench.extractors.trial import tried_tower
from plismbench.hub import hub_errors, require_model


def versions_of(spec: ExtractorSpec) -> dict[str, str]:
    """Versions of the packages that the vectors of a spec depend on.

    Those of its extra too, where that is installed, and of the plug-ins whose package has its loader: what they do is
    in no fingerprint.
    """
    package = spec.loader.partition(":")[0].partition(".")[0]
    guests = {
        point.dist.name: point.dist.version
        for point in entry_points(group=GROUP)
        if point.dist and point.module.partition(".")[0] == package
    }
    extra = extra_of(spec)
    # What is imported as tensorflow is installed under several names; to look through all takes a second.
    more = packages_distributions().get(extra, []) if extra else []
    return {name: version(name) for name in ("plismbench", "torch", "timm", "numpy", *more)} | guests


def load_module(spec: ExtractorSpec) -> nn.Module:
    """The network of a spec, in evaluation mode and without gradients, on the CPU.

    Raises:
        InvalidInput: if an option has a wrong value.
        MissingPackage: if its loader needs a package that is not installed.
        BrokenPlugin: if the loader is not there, fails, or gives no module.
        AccessDenied, Unavailable: if the weights cannot be had.
    """
    check_options(spec)
    module_name, _, function_name = spec.loader.rpartition(":")
    try:
        with redirect_stdout(sys.stderr):
            own = module_name.endswith(".py")
            module_of = module_of_file(Path(module_name)) if own else import_module(module_name)
            module = getattr(module_of, function_name)(spec)
    except PlismbenchError:
        raise
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        install = f"'plismbench[{package}]'" if package == extra_of(spec) else package
        raise MissingPackage(
            f"Extractor '{spec.name}' needs a package that does not import: {error}.",
            hint=f"Install it: `pip install {install}`.",
        ) from error
    except (Exception, SystemExit) as error:
        if module_name.startswith("plismbench."):
            raise  # a bug of ours keeps its traceback
        what = words_of(error, kind=True, file=_code_of(spec))
        raise BrokenPlugin(f"Loader {spec.loader} of extractor '{spec.name}' fails: {what}.") from error
    if not isinstance(module, nn.Module):
        raise BrokenPlugin(
            f"Loader {spec.loader} of extractor '{spec.name}' gives {type(module).__name__}, not a torch.nn.Module."
        )
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):
        raise BrokenPlugin(
            f"Loader {spec.loader} of extractor '{spec.name}' gives a network with lazy layers, which have no weights"
            " yet.",
            hint="Have the loader run it on one tile of zeros, then load its weights.",
        )
    return module.eval().requires_grad_(False)


def failure_of_network(spec: ExtractorSpec, module: nn.Module, error: BaseException) -> BrokenPlugin:
    """What to raise where a network that is not ours raises, or exits, with the line of its loader's file."""
    types = {str(value.dtype).removeprefix("torch.") for value in module.parameters() if value.is_floating_point()}
    others = sorted(types - {"float32"})
    if others and "type" in str(error):
        hint = f"Its weights are {' and '.join(others)}, tiles float32: `.float()` in the loader casts them."
    elif CODE in spec.options:
        hint = "Fix the loader; slides that the old code made, if there are any, then want --existing replace."
    else:
        hint = "Fix the loader; finished slides are kept."
    return BrokenPlugin(
        f"The network of extractor '{spec.name}' fails on tiles of {spec.image_size} pixels:"
        f" {words_of(error, kind=True, file=_code_of(spec))}.",
        hint=hint,
    )


def _code_of(spec: ExtractorSpec) -> str:
    """The Python file that a loader is in; empty where that is not known."""
    module = spec.loader.rpartition(":")[0]
    return module if module.endswith(".py") else str(getattr(sys.modules.get(module), "__file__", ""))


def timm_model(spec: ExtractorSpec) -> nn.Module:
    """A timm architecture with the weights of a spec.

    With ``weights`` of ``timm:NAME`` timm knows where they are and how they are named. With any
    other, ``options["architecture"]`` is built (by default that of the ``config.json`` on the Hub),
    and a table of keys fits the checkpoint to it; `build_tower`, `fill` and `adapted_weights` say what
    else ``options`` may hold. A dotted name such as ``timm.layers.SwiGLUPacked`` stands for what it names.

    Raises:
        AccessDenied, Unavailable: if the weights cannot be had.
        InvalidInput: if they do not fit the architecture, or contradict the configuration that lies
            beside them.
    """
    if spec.weights.startswith(TIMM):
        return _of_timm(spec)
    base = base_of(spec)
    network = base or spec  # beside whose weights the configuration lies
    if network.weights.startswith(HUB) and "architecture" not in network.options:
        network = replace(network, options=hub_architecture(network) | dict(network.options))
    module = tried_tower(network)
    check_hub_config(network, module)  # before gigabytes are downloaded
    prefix = str(network.options.get("prefix", ""))
    drop = rf"(?!{re.escape(prefix)})|{re.escape(prefix)}({key_map_of(network).drop})"
    weights = adapted_weights(spec, base, drop) if base else read_weights(spec, drop, prefix)
    if dict(module.named_buffers()).keys() - module.state_dict().keys():  # no checkpoint has these
        module = build_tower(network)
    return fill(module, weights, network)


def _of_timm(spec: ExtractorSpec) -> nn.Module:
    name = spec.weights.removeprefix(TIMM)
    if ours := sorted(TOWER.keys() & spec.options.keys()):
        raise InvalidInput(f"Extractor '{spec.name}': option {ours[0]} does not go with weights '{spec.weights}'.")
    tried_tower(replace(spec, options={**spec.options, "architecture": name}))
    repo = timm_repository(spec)
    if repo is None:
        return _created(spec, {"state_dict": read_checkpoint(timm_address(spec))})
    with hub_errors(repo, spec.revision, kind="model"):
        require_model(repo, spec.revision)
        # timm reads ORG/REPO@COMMIT.
        return _created(spec, {"hf_hub_id": f"{repo}@{spec.revision}"} if spec.revision else None)


def _created(spec: ExtractorSpec, overlay: dict[str, Any] | None) -> nn.Module:
    import timm

    # With another number of classes than the checkpoint's, timm does not say what does not fit: take
    # the classifier off afterwards.
    options = {key: resolve_layer(value) for key, value in spec.options.items() if key != "num_classes"}
    try:
        module: Any = timm.create_model(  # declared as either a network or its features
            spec.weights.removeprefix(TIMM), pretrained=True, pretrained_cfg_overlay=overlay, **options
        )
    except RuntimeError as error:  # torch says so of keys and shapes that do not match
        if "state_dict" not in str(error):
            raise
        what = words_of(error)
        raise InvalidInput(f"Weights of {spec.weights} do not fit extractor '{spec.name}': {what}.") from error
    module.reset_classifier(0)
    network: nn.Module = module
    return network
