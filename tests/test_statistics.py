"""Power laws, ROC curves and cuts: against plain formulas, and how often intervals are right."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm

from localbias import statistics
from localbias.statistics import SPREAD, power_law, power_law_at, rank_correlation, wilson

SIZES = np.repeat([20.0, 35, 50, 100, 150, 200], 3)


def events(exponent=1.5, spread=0.2, seed=0, end=math.inf, step=1.01):
    """Times 3·x^exponent with errors, seen at steps that grow by a factor, until the end."""
    noise = np.random.default_rng(seed).normal(size=len(SIZES))
    times = 3 * SIZES**exponent * np.exp(spread * noise)
    after = step ** np.floor(np.log(times) / math.log(step))
    until = np.where(times > end, np.inf, after * step)
    return np.where(times > end, end, after), until, times


def test_between_close_bounds_it_is_least_squares():
    after, until, times = events()
    found = power_law(SIZES, after, until)
    slope, height = np.polyfit(np.log(SIZES), np.log(times), 1)
    residual = np.log(times) - height - slope * np.log(SIZES)
    assert found.exponent == pytest.approx(slope, abs=0.01)
    assert found.scale == pytest.approx(math.exp(height), rel=0.05)
    assert found.spread == pytest.approx(residual.std(), abs=0.02)
    width = 1.96 * residual.std() / np.log(SIZES).std() / len(SIZES) ** 0.5
    assert found.high - found.exponent == pytest.approx(width, rel=0.2)
    assert found.exponent - found.low == pytest.approx(width, rel=0.2)


def test_the_likelihood_is_highest_there():
    """Of the product of normal probabilities of the intervals, the censored ones open."""
    after, until, _ = events(end=3000, step=1.4)
    found = power_law(SIZES, after, until)
    assert np.isinf(until).sum() > 3

    def likelihood(exponent, scale, spread):
        line = math.log(scale) + exponent * np.log(SIZES)
        inside = norm.cdf((np.log(until) - line) / spread) - norm.cdf(
            (np.log(after) - line) / spread
        )
        return np.log(inside).sum()

    best = likelihood(found.exponent, found.scale, found.spread)
    for change in (0.95, 1.05):
        assert likelihood(found.exponent * change, found.scale, found.spread) < best
        assert likelihood(found.exponent, found.scale * change, found.spread) < best
        wider = SPREAD + (found.spread - SPREAD) * change
        assert likelihood(found.exponent, found.scale, wider) < best


def test_what_was_not_seen_counts_as_later_and_not_as_seen_or_left_out():
    """Half of the times are beyond the end: taken for the end, or left out, the law would be flat."""
    after, until, _ = events(end=2500, step=1.2)
    seen = np.isfinite(until)
    assert 3 <= (~seen).sum() <= 12
    found = power_law(SIZES, after, until)
    taken = np.polyfit(np.log(SIZES), np.log(np.where(seen, until, after)), 1)[0]
    assert taken < 1.3 < found.exponent and found.low < 1.5 < found.high


def test_the_interval_holds_its_level():
    hits = 0
    for seed in range(60):
        after, until, _ = events(seed=seed, end=4000, step=1.4)
        found = power_law(SIZES, after, until)
        hits += found.low <= 1.5 <= found.high
    assert hits >= 51  # 95 % less what a small number of points costs a likelihood interval


def test_the_value_of_the_law_and_its_interval_are_those_of_least_squares():
    """Between close bounds: the standard error of a regression line, inside and beyond the sizes."""
    after, until, times = events(spread=0.3)
    found = power_law(SIZES, after, until)
    design = np.stack([np.ones(len(SIZES)), np.log(SIZES)], 1)
    (height, slope), *_ = np.linalg.lstsq(design, np.log(times), rcond=None)
    spread = (np.log(times) - design @ [height, slope]).std()
    for at in (20.0, 80.0, 1000.0):
        value, low, high = power_law_at(SIZES, after, until, at)
        assert value == pytest.approx(found.scale * at**found.exponent, rel=1e-3)
        there = np.array([1, math.log(at)])
        width = 1.96 * spread * math.sqrt(there @ np.linalg.inv(design.T @ design) @ there)
        assert math.log(high / value) == pytest.approx(width, rel=0.2)
        assert math.log(value / low) == pytest.approx(width, rel=0.2)
    assert power_law_at([20, 50], [100, 900], [120, math.inf], 80) is None
    for wrong in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"at={wrong}; allowed: above 0, and finite"):
            power_law_at(SIZES, after, until, wrong)


def test_a_law_without_a_slope_and_one_beyond_all_slopes_have_intervals():
    flat = [20.0, 50, 100], [10.0] * 3, [1e5] * 3  # anything between them is possible
    assert abs(power_law(*flat).exponent) < 20
    value, low, high = power_law_at(*flat, 470)
    assert low < value < high
    steep = [20, 20.5, 20, 20.5], [100, 900, 101, 905], [120, 1000, 121, 1001]
    found = power_law(*steep)
    assert found.exponent > 20 and (found.low, found.high) == (-math.inf, math.inf)


def test_one_size_that_was_seen_gives_no_law():
    assert power_law([20, 50], [100, 900], [120, math.inf]) is None
    assert power_law([20, 20], [100, 90], [120, 110]) is None
    two = power_law([20, 50], [100, 900], [120, 1000])
    assert two.exponent == pytest.approx(math.log(950 / 110) / math.log(2.5), abs=0.2)


@pytest.mark.parametrize(
    "x, after, until",
    [([0, 1], [1, 1], [2, 2]), ([1, 2], [0, 1], [2, 2]), ([1, 2], [3, 1], [2, 2])],
)
def test_bounds_that_are_no_interval_are_refused(x, after, until):
    with pytest.raises(ValueError, match="allowed: 0 < after < until, x > 0"):
        power_law(x, after, until)


def test_auc_is_the_share_of_pairs_in_order():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 6, 40).astype(float)  # with ties
    positive = generator.random(40) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    found = statistics.auc(scores, positive)
    assert found.value == pytest.approx(np.mean(pairs))
    assert (found.first, found.second) == (positive.sum(), (~positive).sum())
    assert statistics.auc(-scores, positive).value == pytest.approx(1 - found.value)


def test_the_interval_of_auc_covers_the_truth():
    generator = np.random.default_rng(1)
    truth = NormalDist().cdf(1 / math.sqrt(2))  # two normal laws, one apart
    inside = 0
    for _ in range(400):
        scores = np.concatenate([generator.normal(1, 1, 30), generator.normal(0, 1, 60)])
        found = statistics.auc(scores, np.arange(90) < 30)
        inside += found.low <= truth <= found.high
    assert 0.91 < inside / 400 < 0.98


def test_auc_of_groups_apart_is_not_certain():
    found = statistics.auc(np.array([3.0, 4, 5, 1, 0, 2, 1]), np.arange(7) < 3)
    assert found.value == found.high == 1 and found.low == pytest.approx(wilson(3, 3)[0])
    assert statistics.auc(np.array([1.0, 2, 3]), np.array([True, False, False])) is None
    with pytest.raises(ValueError, match=r"scores \(2,\), positive \(3,\)"):
        statistics.auc(np.zeros(2), np.ones(3))
    with pytest.raises(ValueError, match="without NaN"):
        statistics.auc(np.array([np.nan, 1]), np.array([True, False]))


def test_roc_by_counting_at_each_threshold():
    scores = np.array([0.9, 0.8, 0.8, 0.5, 0.1])
    positive = np.array([True, True, False, True, False])
    false, true, precision = statistics.roc(scores, positive)
    for k, threshold in enumerate((0.9, 0.8, 0.5, 0.1)):
        called = scores >= threshold
        assert true[k] == (called & positive).sum() / 3
        assert false[k] == (called & ~positive).sum() / 2
        assert precision[k] == positive[called].mean()
    area = np.trapezoid(np.append(0, true), np.append(0, false))
    assert area == pytest.approx(statistics.auc(scores, positive).value)


def test_a_cut_removes_what_scores_above_it():
    bad, good = statistics.removed(
        np.array([5.0, 1, 4, 2]), np.array([True, True, False, False]), 3
    )
    assert bad == (0.5, *map(float, wilson(1, 2))) and good == (0.5, *map(float, wilson(1, 2)))


def test_the_frechet_distance_of_gaussians_has_a_closed_form():
    """Of independent features it is the squared distance of means and standard deviations."""
    sample = np.random.default_rng(0).standard_normal((4000, 3))
    sample = (sample - sample.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(sample.T)).T)
    scales, shift = np.array([1.0, 2.0, 0.5]), np.array([0.3, -1.0, 0.0])
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    expected = (shift**2).sum() + ((scales - 1) ** 2).sum()
    found = statistics.frechet(sample @ turn, (sample * scales + shift) @ turn)
    assert found == pytest.approx(expected, abs=1e-6)
    assert statistics.frechet(sample, sample) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match=r"samples \(1, 3\) and .*; allowed: \[n, F\]"):
        statistics.frechet(np.zeros((1, 3)), np.zeros((5, 3)))


def pairs(n=12, seed=0):
    """Numbers with ties, y partly that of x."""
    drawn = np.random.default_rng(seed)
    x = drawn.integers(0, 8, n).astype(float)
    return x, np.round(x / 2 + drawn.normal(size=n), 1)


@pytest.mark.parametrize("n", [4, 12, 200])
def test_rank_correlation_is_spearmans(n):
    x, y = pairs(n)
    found = rank_correlation(x, y, seed=1)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic) and found.n == n
    assert found == rank_correlation(np.exp(x), y**3, seed=1)  # ranks alone count
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert rank_correlation(x, -y, seed=1).value == pytest.approx(-found.value)


def test_the_bootstrap_of_a_rank_correlation_is_scipys():
    x, y = pairs(40)
    found = rank_correlation(x, y, draws=4000)
    other = stats.bootstrap(
        (x, y),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.05)


def test_rank_correlation_within_groups_forgets_what_groups_share():
    x, y = pairs(20)
    groups = np.arange(20) % 2
    within = rank_correlation(x, y, groups)
    assert within.value == pytest.approx(
        rank_correlation(x + 9 * groups, y + 9 * groups, groups).value
    )
    alone = rank_correlation(x[::2], y[::2], np.full(10, "a"))
    assert alone.value == pytest.approx(stats.spearmanr(x[::2], y[::2]).statistic)
    ranks = [np.concatenate([stats.rankdata(one[k::2]) - 5.5 for k in (0, 1)]) for one in (x, y)]
    assert within.value == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_rank_correlation_says_when_there_is_none():
    x, y = pairs(12)
    assert rank_correlation(x[:3], y[:3]) is None and rank_correlation([], []) is None
    assert (
        rank_correlation(np.ones(12), y) is None and rank_correlation(x, y, np.arange(12)) is None
    )
    for wrong in ((x, y[:5]), (x, np.full(12, np.nan)), (x, y, [1])):
        with pytest.raises(ValueError, match="allowed: .n. each, without NaN"):
            rank_correlation(*wrong)


def test_a_change_has_newcombes_interval_and_the_seeds_range():
    """His example (1998, table II, a): 56 of 70 against 48 of 80."""
    of = [np.array([x]) for x in (48, 80, 56, 70)]
    assert statistics.change_over_seeds(*of) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    of = [np.array(x) for x in ((0, 0), (1000, 1000), (100, 900), (1000, 1000))]
    assert statistics.change_over_seeds(*of) == pytest.approx((0.5, 0.1, 0.9))
