"""A model as data."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from numbers import Real
from pathlib import Path
from typing import Any

from plismbench.errors import InvalidInput


class Pooling(StrEnum):
    """How the output of a network becomes one vector a tile.

    Token outputs are (n, prefix_tokens + patches, width), the class token first.
    """

    OUTPUT = "output"  # the module's output is already (n, dim)
    CLS = "cls"  # the class token
    MEAN = "mean"  # mean over the patch tokens; class and register tokens are left out
    CLS_MEAN = "cls+mean"  # both, concatenated: twice the width


FILE = "file:"
"""How weights begin that are a file of this machine."""

CODE = "code"
"""Option of a model whose loader is in a Python file: the SHA-256 of that file."""

BATCH_SIZES = {"cpu": 32, "cuda": 256}
"""Tiles in a forward pass that keep a device busy; on a CPU more only cost memory. Help tells them without torch."""


# The recommended precision is a wish; the precision used is recorded beside the fingerprint.
FOR_PEOPLE = {
    "title", "organisation", "n_params", "license", "gated", "source", "precision", "trained_on_plism", "differs",
}  # fmt: skip
"""Fields of a spec that decide no vector, and so are not in its fingerprint."""


class Precision(StrEnum):
    """Arithmetic of the forward pass: autocast to half types, or float32 throughout."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True, kw_only=True)
class ExtractorSpec:
    """Everything that decides a vector, and what a person wants to know about the model.

    Args:
        name: what ``--model`` takes.
        loader: ``"module:function"``, called with the spec, gives a ``torch.nn.Module`` that takes
            (n, 3, image_size, image_size) float32, normalised, and gives (n, dim) or tokens.
        dim: length of a vector.
        pooling: how the module's output becomes the vector.
        prefix_tokens: class and register tokens in front of the patch tokens; pooling by a class token needs one.
        image_size: side of the network's input in pixels; other tiles are resized on the device.
        mean, std: per channel, of pixels in [0, 1].
        resize: side in pixels that a tile is resized to before its centre is cut out at
            ``image_size``; 0 resizes straight to ``image_size``.
        interpolation: ``bilinear`` or ``bicubic``, always antialiased; used only when resizing.
        weights: where they are: ``hf-hub:ORG/REPO`` or ``hf-hub:ORG/REPO/FILE``, ``timm:NAME``, an
            ``https://`` address, ``file:PATH``, a package, or ``""`` for none.
        revision: commit of the weights, where the place has commits; SHA-256 of a file. Where none is
            given, `pinning.pinned` finds it before vectors are made, as the fingerprint has it.
        options: what the loader needs besides; plain JSON.
        precision: what the authors recommend on a GPU.
        trained_on_plism: PLISM was among the training data; rankings mark such a model.
        differs: what the configuration beside the weights says otherwise, and is known to say wrongly
            or for another use, such as ``mean``; any other contradiction is an error.
        title, organisation, n_params, license, gated, source: for people; ``source`` is the page
            that the facts came from. They do not enter the fingerprint.

    Raises:
        InvalidInput: if a field is out of its range.
    """

    name: str
    loader: str
    dim: int
    pooling: Pooling = Pooling.OUTPUT
    prefix_tokens: int = 0
    image_size: int = 224
    resize: int = 0
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"
    weights: str = ""
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    precision: Precision = Precision.FP16
    trained_on_plism: bool = False
    differs: tuple[str, ...] = ()
    title: str = ""
    organisation: str = ""
    n_params: int | None = None
    license: str = ""
    gated: bool = False
    source: str = ""

    def __post_init__(self) -> None:
        for names, kinds, words in _KINDS:
            for name in names:
                value = getattr(self, name)
                if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                    raise self._refused(f"{name} is {words}; got {value!r}")
        self._convert()
        for holds, sentence in self._conditions():
            if not holds:
                raise self._refused(sentence)
        try:
            object.__setattr__(self, "options", _plain(self.options))
            json.dumps(self.options)
        except TypeError as error:
            raise self._refused(f"options are plain JSON; {error}") from None

    def _refused(self, sentence: str) -> InvalidInput:
        return InvalidInput(f"Extractor '{self.name}': {sentence}.")

    def _convert(self) -> None:
        """Makes tuples and enums of the lists and words that TOML and JSON have."""
        for name in ("mean", "std"):
            values = getattr(self, name)
            if not all(isinstance(value, Real) for value in values):
                raise self._refused(f"{name} is a list of numbers; got {values!r}")
            object.__setattr__(self, name, tuple(float(value) for value in values))
        object.__setattr__(self, "differs", tuple(self.differs))
        for name, kind in (("pooling", Pooling), ("precision", Precision)):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, kind(value))
            except ValueError:
                raise self._refused(f"{name} is one of {', '.join(kind)}; got '{value}'") from None

    def _conditions(self) -> tuple[tuple[object, str], ...]:
        """What must hold, each with the sentence of what does not."""
        module, _, function = self.loader.partition(":")
        return (
            (is_name(self.name), f"name may hold {NAME_WORDS}; got {self.name!r}"),
            (module and function, f"loader is 'module:function'; got '{self.loader}'"),
            (1 <= self.dim <= _LARGEST_DIM, f"dim is from 1 to {_LARGEST_DIM:,}; got {self.dim}"),
            (
                1 <= self.image_size <= _LARGEST_SIDE,
                f"image_size is from 1 to {_LARGEST_SIDE:,}; got {self.image_size}",
            ),
            (
                self.resize == 0 or self.image_size <= self.resize <= _LARGEST_SIDE,
                f"resize is 0, or from image_size {self.image_size} to {_LARGEST_SIDE:,}; got {self.resize}",
            ),
            (self.prefix_tokens >= 0, f"prefix_tokens is 0 or more; got {self.prefix_tokens}"),
            (
                self.prefix_tokens > 0 or self.pooling not in (Pooling.CLS, Pooling.CLS_MEAN),
                f"pooling {self.pooling} needs a class token, which prefix_tokens counts; got {self.prefix_tokens}",
            ),
            (len(self.mean) == 3 and len(self.std) == 3, "mean and std have one value for each of 3 channels"),
            (all(0 <= value <= 1 for value in self.mean), f"mean is from 0 to 1, {_SCALE}; got {self.mean}"),
            (all(0 < value <= 1 for value in self.std), f"std is above 0 and up to 1, {_SCALE}; got {self.std}"),
            (
                self.interpolation in ("bilinear", "bicubic"),
                f"interpolation is bilinear or bicubic; got '{self.interpolation}'",
            ),
        )

    def as_dict(self) -> dict[str, Any]:
        """Every field, as plain JSON values."""
        fields: dict[str, Any] = json.loads(json.dumps(vars(self)))
        return fields

    def variant(self, *, pooling: Pooling | None = None, image_size: int | None = None) -> "ExtractorSpec":
        """The same weights, pooled otherwise or seen at another size, under a name of their own.

        ``h0-mini`` pooled by ``cls+mean`` is ``h0-mini+cls+mean``; ``conch`` at 448 pixels is
        ``conch@448``. What changes nothing gives the spec itself, so that no vector has two names.

        Raises:
            InvalidInput: if the network gives vectors and no tokens to pool, or no class token.
        """
        changed = self
        if image_size is not None and image_size != self.image_size:
            # Without `dynamic_img_size` timm fits the position embeddings to `img_size` when it builds.
            fixed = "img_size" in self.options and not self.options.get("dynamic_img_size")
            changed = replace(
                changed,
                name=f"{self.name}@{image_size}",
                image_size=image_size,
                resize=0,
                options={**self.options, "img_size": image_size} if fixed else self.options,
                n_params=None if fixed else self.n_params,
                differs=(*self.differs, "input_size"),
            )
        if pooling is not None and pooling is not self.pooling:
            if Pooling.OUTPUT in (pooling, self.pooling):
                raise InvalidInput(
                    f"Extractor '{self.name}' has pooling {self.pooling}; {pooling} is not possible.",
                    hint="Only tokens can be pooled by cls, mean or cls+mean.",
                )
            width = self.dim // (2 if self.pooling is Pooling.CLS_MEAN else 1)
            changed = replace(
                changed,
                name=f"{changed.name}+{pooling}",
                pooling=pooling,
                dim=width * (2 if pooling is Pooling.CLS_MEAN else 1),
            )
        return changed

    @property
    def portable(self) -> "ExtractorSpec":
        """The same as it is kept beside vectors and sent to others: files of this machine by their bare names."""
        return self._with_files(lambda path: Path(path).name)

    def fingerprint(self) -> str:
        """16 hex digits of the SHA-256 of the fields that decide a vector; a file counts by its hash, not its place."""
        decisive = {
            key: value for key, value in self._with_files(lambda _: "pinned").as_dict().items() if key not in FOR_PEOPLE
        }
        canonical = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _with_files(self, shown: Callable[[str], str]) -> "ExtractorSpec":
        """The same with the path of each file whose hash is in the spec as ``shown`` gives it."""

        def placed(weights: str, revision: str | None) -> str:
            pinned = revision and weights.startswith(FILE)
            return f"{FILE}{shown(weights.removeprefix(FILE))}" if pinned else weights

        options = dict(self.options)
        adapts = options.get("adapts")
        if isinstance(adapts, Mapping):  # of a file of someone's, perhaps not checked yet
            where = placed(str(adapts.get("weights", "")), adapts.get("revision"))
            options["adapts"] = {**adapts, "weights": where}
        path, _, function = self.loader.rpartition(":")
        loader = f"{shown(path)}:{function}" if CODE in options and path.endswith(".py") else self.loader
        return replace(self, weights=placed(self.weights, self.revision), loader=loader, options=options)


_LONGEST_NAME = 160  # a repository on the Hub has up to 96, its commit 40
NAME_WORDS = f"up to {_LONGEST_NAME} letters from a to z, digits and ._:/@+-, the first a letter or digit"


def is_name(text: str) -> bool:
    """Whether a model may be called so: no two names look alike, and none begins like an option or a formula."""
    return len(text) <= _LONGEST_NAME and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]*", text) is not None


def _plain(value: Any) -> Any:
    """Tables of any kind as dicts, so that they can be written and sent to other processes."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


_SCALE = "of pixels in [0, 1] (divide what is of 0 to 255 by 255)"
_LARGEST_DIM, _LARGEST_SIDE = 1_000_000, 10_000  # beyond any network; a slip of the keyboard would fill the memory
# Values from TOML, JSON or a plug-in are of any kind.
_KINDS: tuple[tuple[tuple[str, ...], tuple[type, ...], str], ...] = (
    (("name", "loader", "interpolation", "weights", "title", "organisation", "license", "source"), (str,), "text"),
    (("dim", "image_size", "resize", "prefix_tokens"), (int,), "a whole number"),
    (("n_params",), (int, type(None)), "a whole number"),
    (("revision",), (str, type(None)), "text"),
    (("trained_on_plism", "gated"), (bool,), "true or false"),
    (("options",), (Mapping,), "a table"),
    (("mean", "std", "differs"), (list, tuple), "a list"),
)
