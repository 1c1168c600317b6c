"""How often the 95 % intervals of `plismbench` hold what is true, where that is known: on made-up models.

    python benchmarks/coverage.py [--trials 2000] [--slide-trials 1000]

By cores: every trial draws cores, 46 as PLISM has, 16 as the demo or 9, with the sizes of PLISM's and a
difficulty that all pairs of 12 slides and two models share; each model and pair has another level, and scatter
of its own on every core. What is true is the score, and the difference of scores, on the endless population of
cores.

By slides: the median over pairs of 13 x 7 slides whose differences from zero are drawn slide by slide, or
staining by staining and scanner by scanner, and the mean of the medians of all four groups, as the score is one;
what is true is zero. Beside it, what slides drawn one by one would hold.
"""

import argparse
import json
from importlib.resources import files
from itertools import product

import numpy as np
import polars as pl

from plismbench.dataset import PLISM_SCANNERS, PLISM_STAININGS, Slide
from plismbench.pairs import PairGroup, slide_pairs
from plismbench.results.aggregation import PAIR, TERMS, core_schema, pair_schema
from plismbench.results.uncertainty import (
    N_DRAWS,
    SEED,
    core_medians,
    interval,
    known_interval,
    n_drawn,
    slide_weights,
    weighted_medians,
)

SLIDES = [Slide(staining, scanner) for staining in ("GM", "HR", "KR", "MY") for scanner in ("AT2", "P", "SQ")]
PAIRS = slide_pairs(SLIDES)
LEVELS = {PairGroup.CROSS_SCANNER: 0.6, PairGroup.CROSS_STAINING: -0.8, PairGroup.CROSS_BOTH: -1.5}  # log-odds
SHARED, OWN, EACH = 0.8, 0.3, 0.3  # scatter of log-odds over cores: of all, of a model, of a model's pair
GAP = 0.15


def mean_rate(level, spread):
    """Mean of 1 / (1 + exp(-x)) over normal x."""
    at, weight = np.polynomial.hermite_e.hermegauss(60)
    return (weight / (1 + np.exp(-(level + spread * at)))).sum() / weight.sum()


def true_score(levels, cosines):
    rates = np.array([mean_rate(level, np.sqrt(SHARED**2 + OWN**2 + EACH**2)) for level in levels])
    groups = np.array([str(pair.group) for pair in PAIRS])
    of_groups = [np.median(rates[groups == str(group)]) for group in LEVELS]
    return np.mean([np.median(cosines), *of_groups])


def tables(random, levels, cosines, sizes, hardness):
    own = hardness + OWN * random.standard_normal(len(sizes))
    names = [pair.codes for pair in PAIRS]
    cores, pairs = [], []
    for name, pair, level, cosine in zip(names, PAIRS, levels, cosines, strict=True):
        odds = level + own + EACH * random.standard_normal(len(sizes))
        hits = random.binomial(2 * sizes, 1 / (1 + np.exp(-odds)))
        sums = sizes * (cosine + 0.05 * own + 0.02 * random.standard_normal(len(sizes)))
        cores += [(*name, f"{i:02}", int(n), sums[i], int(hits[i]), 0.0) for i, n in enumerate(sizes)]
        accuracy = hits.sum() / (2 * sizes.sum())
        pairs.append((*name, str(pair.group), sums.sum() / sizes.sum(), accuracy, 0.0, 0.0, 0.0))
    return (
        pl.DataFrame(pairs, schema=pair_schema((10,)), orient="row"),
        pl.DataFrame(cores, schema=core_schema((10,)), orient="row").sort(*PAIR, "core"),
    )


def score_of_draws(pairs, cores):
    medians = {metric: core_medians(pairs, cores, metric) for metric in ("cosine", "top_10")}
    return np.mean([medians[metric][str(group)] for group, metric in TERMS.values()], axis=0)


def by_cores(trials, n_cores):
    random = np.random.default_rng(0)
    told = json.loads((files("plismbench") / "resources" / "plism_cores.json").read_text())["cores"]
    population = np.array([core["n_tiles"] for core in told]) // 2
    first = np.array([LEVELS[pair.group] for pair in PAIRS]) + 0.5 * random.standard_normal(len(PAIRS))
    second, cosines = first - GAP, 0.75 + 0.05 * random.standard_normal(len(PAIRS))
    truth = true_score(first, cosines), true_score(second, cosines)
    held = {"score": 0, "difference of scores": 0}
    for _ in range(trials):
        sizes = random.choice(population, n_cores)
        hardness = SHARED * random.standard_normal(n_cores)
        a, b = (score_of_draws(*tables(random, levels, cosines, sizes, hardness)) for levels in (first, second))
        for name, drawn, true in (("score", a, truth[0]), ("difference of scores", a - b, truth[0] - truth[1])):
            low, high = interval(drawn)
            held[name] += low <= true <= high
    return held


def one_by_one(first, second, n_slides):
    """Weights of pairs where slides are drawn with no regard to staining and scanner."""
    drawn = np.random.default_rng(SEED).multinomial(n_drawn(n_slides), np.full(n_slides, 1 / n_slides), N_DRAWS)
    counts = np.ascontiguousarray(drawn.T, np.int32)
    return counts[first] * counts[second]


def by_slides(trials):
    random = np.random.default_rng(0)
    n_stainings, n_scanners = len(PLISM_STAININGS), len(PLISM_SCANNERS)
    slides = [Slide(staining, scanner) for staining in PLISM_STAININGS for scanner in PLISM_SCANNERS]
    pairs = slide_pairs(slides)
    first, second = np.array([(slides.index(pair.a), slides.index(pair.b)) for pair in pairs]).T
    names = [pair.codes for pair in pairs]
    of_group = np.array([str(pair.group) for pair in pairs])
    ways = {
        "stainings and scanners drawn": slide_weights(pl.DataFrame(names, schema=PAIR, orient="row")),
        "slides drawn one by one": one_by_one(first, second, len(slides)),
    }
    held = {}
    for _ in range(trials):
        stainings, scanners = random.standard_normal((n_stainings, 1)), random.standard_normal(n_scanners)
        worlds = {
            "slides differ one by one": random.standard_normal(len(slides)),
            "slides differ by staining and scanner": (stainings + scanners).ravel(),
        }
        scatter = random.standard_normal(len(pairs))
        for (way, weights), (world, effect) in product(ways.items(), worlds.items()):
            values = effect[first] + effect[second] + scatter
            drawn = {}
            for group in PairGroup:
                rows = np.flatnonzero((of_group == str(group)) | (group is PairGroup.ALL))
                drawn[str(group)] = weighted_medians(values[rows], weights[rows])
            drawn["score"] = np.mean(list(drawn.values()), axis=0)
            for group, draws in drawn.items():
                low, high = known_interval(draws)
                name = f"{way}: {world}: {group}"
                held[name] = held.get(name, 0) + (low <= 0 <= high)
    return held


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--slide-trials", type=int, default=1_000)
    options = parser.parse_args()
    for n_cores in (46, 16, 9):
        for name, held in by_cores(options.trials, n_cores).items():
            print(f"by {n_cores} cores: {name}: {held / options.trials:.1%} of {options.trials:,}")
    for name, held in by_slides(options.slide_trials).items():
        print(f"by slides: {name}: {held / options.slide_trials:.1%} of {options.slide_trials:,}")


if __name__ == "__main__":
    main()
