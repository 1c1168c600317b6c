from plismbench.extractors.catalog.converted import CONVERTED
from plismbench.extractors.catalog.language import LANGUAGE
from plismbench.extractors.checkpoints.key_maps import KEY_MAPS
from plismbench.extractors.spec import Pooling

BY_NAME = {spec.name: spec for spec in CONVERTED}


def test_key_maps_exist():
    assert {spec.options.get("layout", "timm") for spec in CONVERTED + LANGUAGE} <= set(KEY_MAPS)


def test_midnight_is_pooled_as_published_and_has_a_high_resolution():
    spec = BY_NAME["midnight-12k"]
    assert (spec.pooling, spec.dim) == (Pooling.CLS_MEAN, 3072)
    larger = spec.variant(image_size=392)
    assert (larger.name, larger.options["img_size"]) == ("midnight-12k@392", 392)


def test_conch_is_seen_as_published():
    assert BY_NAME["conch"].variant(image_size=448).options["img_size"] == 448
    # Both fit their position embeddings in ways that timm does not.
    assert BY_NAME["conch"].options["position"] == {"interpolation": "bilinear", "antialias": False}
    assert BY_NAME["conch-v1.5"].options["position"] == {"antialias": False, "offset": 0.1}
