"""Letter models against counting and against brute force over every string, and the two ends between which they lie."""

import itertools
import math
from collections import Counter

import pytest
import torch
from scipy.stats import chi2

from localbias import exact
from localbias.diffusion import Schedule
from localbias.grammar import Check, Dyck, Lexicon, MarkovChain, known_ngrams
from localbias.render import Cells, Words

SCHEDULE = Schedule()
WORDS = ("ab", "a", "baab", "bab", "abba", "bb")
LAW = Lexicon(WORDS)
GRAMMARS = [LAW, Lexicon(("ab", "ba", "a"), cells=4), Dyck(6), Check(5, 4, 0.7)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def every(law) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(len(law.alphabet)), repeat=law.length)))


def toy(law, exemplars=2) -> Cells:
    """Small random exemplars of a grammar's symbols, no two alike."""
    pool = torch.rand(len(law.alphabet), exemplars, 1, 3, generator=seeded(5)) * 2 - 1
    return Cells(pool, (1, law.length))


def by_counting(text: str, order: int) -> float:
    """The probability of a padded string: ratios of how many words begin so at each place."""
    padded = [word.ljust(len(text)) for word in WORDS]
    total = 1.0
    for i in range(len(text)):
        low = max(0, i - order)
        same_past = [word for word in padded if word[low:i] == text[low:i]]
        total *= sum(word[i] == text[i] for word in same_past) / len(same_past) if same_past else 0
    return total


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_probabilities_by_counting(order):
    strings = every(LAW)
    truth = torch.tensor(
        [by_counting(text, order) for text in LAW.text(strings)], dtype=torch.float64
    )
    found = MarkovChain(LAW, order).log_probability(strings)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.exp(), truth, rtol=1e-12, atol=0)
    assert torch.equal(found.isinf(), truth == 0)
    assert truth.sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("law", GRAMMARS, ids=repr)
def test_the_ends_are_the_marginals_and_the_rule(law):
    strings = every(law)
    independent = law.marginals()[torch.arange(law.length), strings].prod(1)
    torch.testing.assert_close(
        MarkovChain(law, 0).log_probability(strings).exp(), independent, rtol=1e-12, atol=0
    )
    whole = MarkovChain(law, law.length - 1).log_probability(strings).exp()
    torch.testing.assert_close(whole[law.is_valid(strings)], law.probabilities, rtol=1e-12, atol=0)
    assert (whole[~law.is_valid(strings)] == 0).all()


@pytest.mark.parametrize("law", GRAMMARS, ids=repr)
def test_a_chain_keeps_the_law_of_neighbouring_letters(law):
    strings, k = every(law), len(law.alphabet)
    for order in range(law.length):
        own = MarkovChain(law, order).log_probability(strings).exp()
        for first in range(law.length - order):
            place = k ** torch.arange(order + 1)
            window = slice(first, first + order + 1)
            found, truth = (
                torch.zeros(k ** (order + 1), dtype=torch.float64).index_add(
                    0, (of[:, window] * place).sum(1), weights
                )
                for of, weights in ((strings, own), (law.support, law.probabilities))
            )
            torch.testing.assert_close(found, truth, rtol=0, atol=1e-12)


def test_a_longer_memory_is_more_likely():
    """Of the words, in bits: from the sum of the letters' entropies down to the logarithm of the number of words."""
    law = Lexicon()
    bits = [
        -MarkovChain(law, order).log_probability(law.support).mean().item() / math.log(2)
        for order in (0, 1, 2, 3, 13)
    ]
    p = law.marginals()
    assert bits[0] == pytest.approx(-torch.xlogy(p, p).sum().item() / math.log(2))
    assert bits[-1] == pytest.approx(math.log2(999))
    assert all(longer < shorter - 0.5 for shorter, longer in itertools.pairwise(bits))


def test_samples_follow_the_chain():
    n, chain = 20_000, MarkovChain(LAW, 1)
    drawn = chain.sample(n, seeded())
    assert drawn.dtype == torch.int64 and drawn.shape == (n, 4)
    strings = every(LAW)
    p = chain.log_probability(strings).exp()
    strings, p = strings[p > 0], p[p > 0]
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) <= set(map(tuple, strings.tolist())) and len(p) > len(WORDS)
    expected = n * p
    squares = [(counts[tuple(s)] - e) ** 2 / e for s, e in zip(strings.tolist(), expected.tolist())]
    assert expected.min() > 5 and sum(squares) < chi2.isf(1e-4, df=len(p) - 1)
    assert torch.equal(chain.sample(50, seeded(1)), chain.sample(50, seeded(1)))


def test_words_end_where_blanks_begin():
    law = Lexicon()
    for order in (1, 2):
        drawn = MarkovChain(law, order).sample(500, seeded())
        blank = drawn == 0
        assert (blank[:, 1:] >= blank[:, :-1]).all() and not blank[:, 0].any() and blank.any()
    blank = MarkovChain(law, 0).sample(500, seeded()) == 0
    assert (blank[:, :-1] & ~blank[:, 1:]).any()  # letters on their own do not know


def test_impossible_and_unreadable_strings():
    chain = MarkovChain(LAW, 2)
    bad = torch.tensor([[-1, 1, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]])
    assert chain.log_probability(bad).tolist() == [-math.inf] * 4
    assert chain.log_probability(bad[:0]).shape == (0,) and chain.sample(0).shape == (0, 4)


def brute_force(law, weights, renderer, x, alpha_bar):
    """E[x0 | x] over every string with its probability and every choice of exemplars."""
    exemplars = torch.tensor(
        list(itertools.product(range(renderer.pool.shape[1]), repeat=renderer.length))
    )
    strings = every(law)[weights > 0]
    images = torch.cat(
        [renderer.draw(string.expand_as(exemplars), exemplars) for string in strings]
    ).double()
    log_prior = weights[weights > 0].log().repeat_interleave(len(exemplars))
    distance = (x[:, None] - math.sqrt(alpha_bar) * images).flatten(2).square().sum(2)
    posterior = (log_prior - distance / (2 * (1 - alpha_bar))).softmax(1)
    return torch.einsum("bn,n...->b...", posterior, images)


@pytest.mark.parametrize("level", [0.1, 0.6, 0.95])
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_denoiser_is_the_softmax_over_all_strings(order, level):
    renderer, t = toy(LAW), SCHEDULE.index(sqrt_alpha_bar=level)
    weights = torch.tensor(
        [by_counting(text, order) for text in LAW.text(every(LAW))], dtype=torch.float64
    )
    x = torch.randn(5, *renderer.shape, generator=seeded(), dtype=torch.float64)
    truth = brute_force(LAW, weights, renderer, x, SCHEDULE.alpha_bar[t].item())
    torch.testing.assert_close(
        exact.markov(LAW, renderer, SCHEDULE, order)(x, t), truth, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("law", [*GRAMMARS, Lexicon()], ids=repr)
def test_the_denoisers_between_two_references(law):
    renderer = toy(law) if len(law.alphabet) < 10 else Words((1, 14), (14, 98))
    x, t = (
        torch.randn(6, *renderer.shape, generator=seeded(), dtype=torch.float64),
        torch.arange(6) * 180 + 20,
    )
    ends = exact.marginals(law, renderer, SCHEDULE), exact.rule(law, renderer, SCHEDULE)
    for order, truth in zip((0, law.length - 1), ends):
        found = exact.markov(law, renderer, SCHEDULE, order)
        assert found.target == "x0"
        torch.testing.assert_close(found(x, t), truth(x, t), rtol=1e-9, atol=1e-9)
        single = found(x.float(), t)
        assert single.dtype == torch.float32
        torch.testing.assert_close(
            single.double(), truth(x.float(), t).double(), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("order", [1, 2])
def test_derivatives_chunks_and_vmap(order, monkeypatch):
    """The Jacobian of a posterior mean is the posterior covariance, by reverse mode and through torch.func."""
    renderer, t = toy(LAW), SCHEDULE.index(sqrt_alpha_bar=0.6)
    alpha_bar = SCHEDULE.alpha_bar[t].item()
    denoiser = exact.markov(LAW, renderer, SCHEDULE, order)
    weights = MarkovChain(LAW, order).log_probability(every(LAW)).exp()
    x = torch.randn(3, *renderer.shape, generator=seeded(), dtype=torch.float64)
    truth = torch.func.jacrev(
        lambda one: brute_force(LAW, weights, renderer, one[None], alpha_bar)[0]
    )(x[0])
    y = denoiser(one := x.clone().requires_grad_(), t).flatten(1)
    cotangents = torch.eye(12, dtype=y.dtype)[:, None].expand(-1, 3, -1)
    (rows,) = torch.autograd.grad(y, one, cotangents, is_grads_batched=True)
    torch.testing.assert_close(rows[:, 0].flatten(), truth.flatten(), rtol=1e-8, atol=1e-9)
    func = torch.func.jacrev(lambda one: denoiser(one[None], t)[0])(x[0])
    torch.testing.assert_close(func, truth, rtol=1e-8, atol=1e-9)
    whole, steps = denoiser(x, torch.tensor([3, 400, 900])), torch.tensor([3, 400, 900])
    mapped = torch.func.vmap(lambda one, step: denoiser(one[None], step)[0])(x, steps)
    torch.testing.assert_close(mapped, whole, rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(exact.reference, "CHUNK", denoiser.numbers_per_sample)
    torch.testing.assert_close(denoiser(x, steps), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.6])
def test_the_more_letters_it_knows_the_less_a_denoiser_errs(level):
    """On words, by the excess of its loss over the optimum: marginals > order 1 > order 2 > order 3 > 0."""
    law, renderer, t, n = (
        Lexicon(),
        Words((1, 14), (14, 98)),
        SCHEDULE.index(sqrt_alpha_bar=level),
        150,
    )
    rule = exact.rule(law, renderer, SCHEDULE)
    x0 = renderer(law.support[torch.randint(999, (n,), generator=seeded(1))])
    others = [exact.marginals(law, renderer, SCHEDULE)]
    others += [exact.markov(law, renderer, SCHEDULE, order) for order in (1, 2, 3)]
    gaps = torch.stack([exact.gap(rule, other, x0, t, seeded(2)) for other in others])
    between = gaps[:-1] - gaps[1:]  # the same noise, so differences are surer than their parts
    assert (between.mean(1) > 3 * between.std(1) / math.sqrt(n)).all() and gaps.mean(1)[-1] > 0


def test_no_noise_gives_back_what_is_shown():
    law, renderer = Lexicon(), Words((1, 14), (14, 98))
    x0 = renderer(law.support[::40]).double()
    for order in (1, 2):
        torch.testing.assert_close(
            exact.markov(law, renderer, SCHEDULE, order)(x0, 0), x0, rtol=0, atol=1e-6
        )


def test_windows_are_known_from_the_words():
    """The windows of "ab", "a", "baab", "bab", "abba" and "bb", with a mark before and after, looked up by hand."""

    def share(text, n):
        tokens = torch.tensor(
            [[LAW.alphabet.index(c) if c in LAW.alphabet else -1 for c in text.ljust(4)]]
        )
        return known_ngrams(tokens, LAW, n).item()

    assert share("abab", 1) == 1 and share("a?ab", 1) == 5 / 6
    assert share("bbab", 2) == 1 and share("a b", 2) == 2 / 4  # of |a, a_, _b, b|
    assert share("bbab", 3) == 1 and share("aaba", 3) == 2 / 4  # of |aa, aab, aba, ba|
    assert share("aa", 3) == 0 and share("a", 3) == 1 and share("a", 5) == 1 and share("b", 5) == 0
    assert share("", 2) == 0
    assert (known_ngrams(LAW.support, LAW, 3) == 1).all() and known_ngrams(
        LAW.support[:0], LAW, 2
    ).shape == (0,)


def test_a_chain_of_order_k_makes_known_windows_of_k_plus_one():
    law = Lexicon()
    for order in (1, 2):
        drawn = MarkovChain(law, order).sample(300, seeded())
        assert (known_ngrams(drawn, law, order + 1) == 1).all()
        assert known_ngrams(drawn, law, order + 2).mean() < 0.95


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MarkovChain(LAW, 4), "order=4.*0 to 3"),
        (lambda: MarkovChain(LAW, -1), "order=-1.*0 to 3"),
        (lambda: MarkovChain(Lexicon(WORDS, whole=True), 1), "order=1.*0 to 0"),
        (
            lambda: MarkovChain(LAW, 1).log_probability(torch.zeros(2, 5, dtype=torch.int64)),
            r"\(2, 5\).*\[n, 4\]",
        ),
        (
            lambda: exact.markov(LAW, toy(Dyck(6)), SCHEDULE, 1),
            "4 symbols of 3; the renderer shows 6 of 2",
        ),
        (
            lambda: exact.markov(LAW, toy(LAW), SCHEDULE, 1)(torch.zeros(2, 1, 3, 3), 0),
            r"shape \(1, 3, 3\)",
        ),
        (lambda: known_ngrams(LAW.support, LAW, 0), "n=0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
