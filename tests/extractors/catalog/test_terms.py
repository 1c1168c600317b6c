from plismbench.extractors.catalog import terms
from plismbench.extractors.spec import Pooling


def test_a_vit_gives_tokens_and_says_where_it_is_from():
    spec = terms.vit("x", "X", "vit_tiny_patch16_224", {"img_size": 32}, weights="hf-hub:Org/Repo/w.bin", dim=192)
    assert spec.options == {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 0,
        "global_pool": "",
        "img_size": 32,
    }
    assert (spec.pooling, spec.prefix_tokens) == (Pooling.CLS, 1)
    assert spec.source == "https://huggingface.co/Org/Repo"


def test_what_an_entry_says_wins():
    spec = terms.vit("x", "X", "vit_tiny_patch16_224", {}, pooling=Pooling.MEAN, source="https://a.org", dim=192)
    assert (spec.pooling, spec.source) == (Pooling.MEAN, "https://a.org")


def test_an_entry_like_another_keeps_its_facts_but_those_that_it_says():
    first = terms.vit("x", "X", "vit_tiny_patch16_224", {"img_size": 32}, weights="hf-hub:Org/Repo/w.bin", dim=192)
    other = terms.like(first, "y", "Y", weights="hf-hub:Org/Other", options={"img_size": 64})
    assert (other.name, other.title, other.dim, other.pooling) == ("y", "Y", 192, Pooling.CLS)
    assert other.options == {**first.options, "img_size": 64}
    assert other.source == "https://huggingface.co/Org/Other"
    assert terms.like(first, "y", "Y", weights="https://a.org/x").source == first.source
