import pytest
from checkpoints import TIMM

from plismbench.errors import InvalidInput, UnknownName
from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.options import check_options
from plismbench.extractors.spec import ExtractorSpec

ADAPTS = {"weights": "hf-hub:a/b", "revision": "1" * 40, "layers": ["blocks.0.fc"], "scale": 1.0}
BASELINES = "plismbench.extractors.baselines"


def spec(loader, **options):
    return ExtractorSpec(name="x", loader=loader, dim=3, options=options)


@pytest.mark.parametrize("built_in", CATALOG, ids=lambda spec: spec.name)
def test_the_catalog_has_none_that_is_refused(built_in):
    check_options(built_in)


def test_other_options_of_timm_and_of_plug_ins_are_theirs():
    check_options(spec(TIMM, depth=3, head=[5, 3], position={"offset": 0.1, "antialias": False}, norm_eps=1e-12))
    check_options(spec(TIMM, adapts=ADAPTS))
    check_options(spec("guest:load", side="anything", pretrained_cfg={}))


@pytest.mark.parametrize(
    ("loader", "options", "words"),
    [
        (f"{BASELINES}:small_pixels", {"side": "16"}, "option side is a whole number from 1 to 1,000; got '16'"),
        (f"{BASELINES}:small_pixels", {"side": True}, "option side is a whole number"),
        (f"{BASELINES}:small_pixels", {"side": 0}, "got 0"),
        (f"{BASELINES}:small_pixels", {}, "option side is missing; it is a whole number"),
        (f"{BASELINES}:random_timm", {"architecture": "resnet18", "seed": 0.5}, "option seed is a whole number"),
        (f"{BASELINES}:random_timm", {"architecture": 3, "seed": 0}, "option architecture is text; got 3"),
        ("plismbench.extractors.remote:remote_model", {"output": "logits"}, "one of last_hidden_state, pooler_output"),
        (TIMM, {"head": []}, "option head is a list of widths; got"),
        (TIMM, {"head": [0]}, "option head is a list of widths"),
        (TIMM, {"head": 5}, "option head is a list of widths"),
        (TIMM, {"normalise": 1}, "option normalise is true or false; got 1"),
        (TIMM, {"norm_eps": 0}, "option norm_eps is a number above 0"),
        (TIMM, {"norm_eps": float("inf")}, "option norm_eps is a number above 0"),
        (TIMM, {"pooler": ["attention"]}, "option pooler is one of attention, projections"),
        (TIMM, {"rope": "float32"}, "option rope is one of bfloat16; got 'float32'"),
        (TIMM, {"view": "chanels"}, "option view is one of channels, two-scales; got 'chanels'"),
        (TIMM, {"position": {"offset": 1}}, r"option position is a table of interpolation .*; got {'offset': 1}"),
        (TIMM, {"position": {"ofset": 0.1}}, "option position is a table"),
        (TIMM, {"position": "bicubic"}, "option position is a table"),
        (TIMM, {"adapts": ADAPTS | {"revision": "main"}}, r"adapts is a table of .*revision \(a commit or a SHA-256\)"),
        (TIMM, {"adapts": ADAPTS | {"scale": 0}}, r"scale \(a number above 0\)"),
        (TIMM, {"adapts": ADAPTS | {"rank": 8}}, "option adapts is a table"),
        (TIMM, {"adapts": {"weights": "x", "scale": 1}}, "adapts is a table .*; got {.*}, without revision, layers"),
        (TIMM, {"checkpoint_path": "x.pth"}, "option checkpoint_path is not taken"),
    ],
)
def test_a_wrong_value_names_the_option(loader, options, words):
    with pytest.raises(InvalidInput, match=words):
        check_options(spec(loader, **options))


def test_an_option_that_nothing_takes_is_named():
    with pytest.raises(UnknownName, match="Did you mean 'side'"):
        check_options(spec(f"{BASELINES}:small_pixels", side=3, sid=3))
