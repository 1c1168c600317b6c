"""Specs of models that nobody registered: of timm, on the Hub, in a TOML file, in a Python file."""

import dataclasses
import hashlib
import importlib.util
import sys
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from plismbench.errors import CorruptFile, InvalidInput, MissingPackage, UnknownName, words_of
from plismbench.extractors.checkpoints.file_kinds import existing_file, file_sha256, readable
from plismbench.extractors.checkpoints.locations import TIMM_MODEL
from plismbench.extractors.options import check_options
from plismbench.extractors.spec import CODE, FILE, NAME_WORDS, ExtractorSpec, Pooling, is_name


def timm_spec(text: str) -> ExtractorSpec:
    """The spec of ``NAME``, any pretrained architecture of timm, or of ``NAME@PATH`` with a checkpoint of one's own.

    A vision transformer that ends in its class token gives tokens, pooled so; any other network
    gives its pooled output before the classifier. A network of fixed input size gets tiles resized
    to it; any other sees the tile at its own size. Normalisation is timm's for that name.

    Raises:
        UnknownName: if timm has no such architecture, or none trained so.
        InvalidInput: if it has the architecture, but without pretrained weights, and no checkpoint is given, or
            there is no such checkpoint.
    """
    import timm

    from plismbench.extractors.pinning import check_timm_name

    name, _, path = text.partition("@")
    check_timm_name(name)
    cfg: Any = timm.get_pretrained_cfg(name)
    if cfg is None or not (cfg.has_weights or path):
        raise InvalidInput(f"timm has no pretrained weights for '{name}'.", hint="timm.list_pretrained() has them all.")
    spec = ExtractorSpec(
        name=f"timm:{name}",
        title=name,
        loader=TIMM_MODEL,
        weights=f"timm:{name}",
        dim=1,
        image_size=int(cfg.input_size[-1]) if cfg.fixed_input_size else 224,
        mean=cfg.mean,
        std=cfg.std,
        interpolation=cfg.interpolation if cfg.interpolation in ("bilinear", "bicubic") else "bicubic",
        options={"num_classes": 0},
        organisation="timm",
        license=cfg.license or "",
        source=f"https://huggingface.co/{cfg.hf_hub_id}" if cfg.hf_hub_id else "",
    )
    if path:
        file = existing_file(path)
        spec = dataclasses.replace(
            spec, name=f"timm:{name}@{_stem(file)}", title=f"{name}, {file.name}", weights=f"{FILE}{file.resolve()}",
            revision=file_sha256(file), options={"architecture": name, "num_classes": 0, "layout": "dino"},
            organisation="", license="", source="",
        )  # fmt: skip
    return _measured(spec, name)


def hub_spec(text: str) -> ExtractorSpec:
    """The spec of ``ORG/REPO`` or ``ORG/REPO@REVISION``, whose ``config.json`` is in timm's format.

    Raises:
        AccessDenied, Unavailable: if the repository cannot be had.
        InvalidInput: if its configuration names no architecture of timm, or arguments that it does
            not take.
    """
    from plismbench.extractors.checkpoints.weights import hub_json
    from plismbench.extractors.hubconfig import hub_architecture
    from plismbench.extractors.pinning import pinned

    place, _, revision = text.partition("@")
    bare = ExtractorSpec(
        name=f"hf-hub:{text}",
        title=place,
        loader=TIMM_MODEL,
        dim=1,
        weights=f"hf-hub:{place}",
        revision=revision or None,
        source=f"https://huggingface.co/{place}",
    )
    bare = pinned(bare)  # or the weights might be of a later commit than the configuration
    options = {**hub_architecture(bare), "num_classes": 0, "layout": "dino"}
    config = hub_json(bare, "config.json")
    pretrained = config.get("pretrained_cfg", config)  # until 2023 timm wrote all in one table
    try:
        spec = dataclasses.replace(
            bare,
            options=options,
            image_size=int((pretrained.get("input_size") or [224])[-1]),
            mean=pretrained.get("mean") or bare.mean,
            std=pretrained.get("std") or bare.std,
            interpolation=pretrained.get("interpolation") or bare.interpolation,
            license=pretrained.get("license") or "",
        )
    except (TypeError, ValueError, AttributeError) as error:  # such as text where a number is due
        raise InvalidInput(f"config.json of {place}: {error}.") from error
    return _measured(spec, str(options["architecture"]))


def toml_spec(path: Path) -> ExtractorSpec:
    """The spec in a TOML file: the fields of `ExtractorSpec`; a path in ``weights`` begins at the file's folder.

    ``name`` is that of the file if left out, ``loader`` is `loaders.timm_model`.

    Raises:
        CorruptFile: if it is not TOML, or the weights are not the file whose SHA-256 is ``revision``.
        InvalidInput: if that file or the one of the weights is not there, or a field is unknown, missing, or out of
            its range.
    """
    file, table = existing_file(path), read_toml(path)
    fields = {field.name for field in dataclasses.fields(ExtractorSpec)}
    if unknown := [key for key in table if key not in fields]:
        raise UnknownName(f"field of a spec, in {path.name},", unknown[0], fields)
    if "dim" not in table:
        raise InvalidInput(f"{path} does not say `dim`, the length of a vector.")
    table = _own_weights({"loader": TIMM_MODEL} | table, file)
    if "name" not in table:
        table["name"] = _stem(file)
    options = table.get("options")
    if table["loader"] == TIMM_MODEL and isinstance(options, dict) and isinstance(options.get("adapts"), dict):
        table["options"] = options | {"adapts": _own_weights(options["adapts"], file)}
    try:
        spec = ExtractorSpec(**table)
        check_options(spec)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", hint=error.hint) from error
    code, _, function = spec.loader.rpartition(":")
    return _coded(spec, existing_file(_beside(file, code), f"{path}: "), function) if code.endswith(".py") else spec


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        CorruptFile: if it is not TOML.
        InvalidInput: if it is not there.
    """
    try:
        # Notepad may begin a file with a mark.
        return tomllib.loads(existing_file(path).read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptFile(f"{path} is not TOML: {error}.") from error


def python_spec(path: Path, attribute: str) -> ExtractorSpec:
    """The spec that ``attribute`` of a Python file is, or that of the loader that it is.

    A loader is called with a spec and gives a ``torch.nn.Module``; one black tile tells what comes
    out of it. It sees tiles of 224 px, normalised as ImageNet; a spec in the file says otherwise.
    The hash of the file is in the spec where the loader is in the file: a change of the code makes other vectors.

    Raises:
        InvalidInput: if there is no such file, or the attribute is neither a spec nor a function.
        UnknownName: if it has no such attribute.
        PlismbenchError: as `load_module` does.
    """
    file = existing_file(path)
    module = module_of_file(file)
    if not hasattr(module, attribute):
        raise UnknownName(f"attribute of {path.name}", attribute, [name for name in vars(module) if name[0] != "_"])
    given = getattr(module, attribute)
    if isinstance(given, ExtractorSpec):
        own, _, function = given.loader.partition(":")
        if own not in (file.stem, module.__name__):
            return given
        # A loader of the same file is named by the file, as no one can import it otherwise.
        return _coded(given, file, function)
    if not callable(given):
        raise InvalidInput(f"{attribute} of {path} is {type(given).__name__}; a spec or a loader is expected.")
    from plismbench.extractors.loaders import load_module

    spec = ExtractorSpec(name=f"{_stem(file)}:{attribute}", title=file.name, loader=f"file:{attribute}", dim=1)
    spec = _coded(spec, file, attribute)
    return _seen(spec, load_module(spec))


def _coded(spec: ExtractorSpec, file: Path, function: str) -> ExtractorSpec:
    """The same with a loader of a Python file, and that file's hash."""
    options = {**spec.options, CODE: file_sha256(file)}
    return dataclasses.replace(spec, loader=f"{file.resolve()}:{function}", options=options)


def module_of_file(path: Path) -> ModuleType:
    """A Python file, imported.

    Raises:
        MissingPackage: if it imports what is not installed.
        InvalidInput: if it is no Python, raises, or exits.
    """
    name = f"plismbench_file_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InvalidInput(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        with redirect_stdout(sys.stderr):
            found.loader.exec_module(module)
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        hint = f"Install it: `pip install {package}`."
        raise MissingPackage(f"{path} does not import: {error}.", hint=hint) from error
    except (Exception, SystemExit) as error:  # a script that parses its arguments ends the process
        raise InvalidInput(f"{path} does not run: {words_of(error, kind=True, file=str(found.origin))}.") from error
    return module


def _measured(spec: ExtractorSpec, architecture: str) -> ExtractorSpec:
    """The same with what a tower without weights shows: dim, parameters, and tokens where the last step takes one."""
    import torch

    from plismbench.extractors.towers import build_tower

    options: dict[str, Any] = {"architecture": architecture, **spec.options}
    with torch.device("meta"):
        module = build_tower(dataclasses.replace(spec, options=options)).eval()
        if getattr(module, "global_pool", None) == "token" and hasattr(module, "blocks"):
            tokens: Mapping[str, Any] = {"global_pool": ""}
            spec = dataclasses.replace(spec, options={**spec.options, **tokens})
            module = build_tower(dataclasses.replace(spec, options={**options, **tokens})).eval()
        return _seen(spec, module)


def _seen(spec: ExtractorSpec, module: Any) -> ExtractorSpec:
    """The same with the dim, the kind of pooling and the number of parameters of a network."""
    import torch

    from plismbench.extractors.loaders import failure_of_network
    from plismbench.extractors.pooling import ONLY_TENSORS

    try:
        with torch.inference_mode(), redirect_stdout(sys.stderr):
            output = module(torch.zeros(1, 3, spec.image_size, spec.image_size))
    except (Exception, SystemExit) as error:
        if CODE in spec.options:
            raise failure_of_network(spec, module, error) from error
        what = words_of(error, kind=True)
        raise InvalidInput(f"'{spec.name}' fails on a tile of {spec.image_size} pixels: {what}.") from error
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) not in (2, 3):
        raise InvalidInput(
            f"'{spec.name}' gives {shape or type(output).__name__}; (n, dim) or (n, tokens, width) is expected.",
            hint=None if shape else ONLY_TENSORS,
        )
    prefix_tokens = int(getattr(module, "num_prefix_tokens", 1)) if len(shape) == 3 else 0
    of_tokens = Pooling.CLS if prefix_tokens else Pooling.MEAN
    return dataclasses.replace(
        spec,
        dim=int(shape[-1]),
        pooling=Pooling.OUTPUT if len(shape) == 2 else of_tokens,
        prefix_tokens=prefix_tokens,
        n_params=sum(parameter.numel() for parameter in module.parameters()),
    )


def _own_weights(table: dict[str, Any], file: Path) -> dict[str, Any]:
    """The same with the whole path and the SHA-256 of weights in a file, which a spec's file names from its folder."""
    if not str(table.get("weights", "")).startswith(FILE):
        return table
    weights = existing_file(_beside(file, table["weights"]), f"{file}: ")
    digest = file_sha256(weights)
    if table.get("revision", digest) != digest:
        raise CorruptFile(f"{weights} has SHA-256 {digest}; {file} pins {table['revision']}.")
    return table | {"revision": digest, "weights": f"{FILE}{weights}"}


def _beside(file: Path, weights: str) -> Path:
    path = weights.removeprefix(FILE)
    return (file.parent / (readable(path, f"{file}: ") if path.startswith("~") else path)).resolve()


def _stem(file: Path) -> str:
    """What a model is called that is called after its file."""
    if not is_name(file.stem):
        raise InvalidInput(
            f"The model of {file.name} is called after the file, and a name may hold {NAME_WORDS}.",
            hint="Rename the file.",
        )
    return file.stem
