"""Rules by enumeration: supports, marginals, information, chance levels and splits."""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import pytest
import torch

from localbias import assets, grammar
from localbias.grammar import Characters, Check, Dyck, Grammar, Lexicon, Parity, QuarterSum

WORDS = ("to", "a", "toe", "it's", "I")
SMALL = [
    Parity(2),
    Parity(3),
    Parity(6),
    Dyck(2),
    Dyck(6),
    Dyck(8),
    QuarterSum(),
    Check(6, 2),
    Check(6, 3),
    Check(5, 5),
    Lexicon(WORDS),
    Lexicon(("ab", "a", "bab"), cells=5),
    Lexicon(WORDS, whole=True),
    Characters(1),
    Characters(2),
]


def strings(tokens: torch.Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, tokens.tolist()))


def every(law) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(len(law.alphabet)), repeat=law.length)))


def valid_by_definition(law, string) -> bool:
    """Each rule in the paper's words, from the characters."""
    text = "".join(law.alphabet[k] for k in string)
    if isinstance(law, Lexicon):  # a word, then blanks
        return text in [word if law.whole else word.ljust(law.length) for word in law.words]
    if isinstance(law, Characters):  # its four quarters in their order
        return text in [
            "".join(c + quarter for quarter in "▘▝▖▗") for c in assets.characters()[: law.count]
        ]
    if isinstance(law, Check):
        text = text[: law.order]
        return math.prod({"(": 1, ")": -1}[c] for c in text) == 1
    if isinstance(law, Parity):  # the signs multiply to +1
        return math.prod({"(": 1, ")": -1}[c] for c in text) == 1
    if isinstance(law, Dyck):  # matched pairs can be taken out until nothing is left
        while "()" in text:
            text = text.replace("()", "")
        return text == ""
    return int(text[0]) + int(text[1]) == int(text[2]) + int(text[3])


@pytest.mark.parametrize("law", SMALL, ids=repr)
def test_support_is_the_valid_strings_in_order(law):
    listed = law.support.tolist()
    assert listed == [list(s) for s in every(law).tolist() if valid_by_definition(law, s)]
    assert law.support.dtype == torch.int64


@pytest.mark.parametrize("law", SMALL, ids=repr)
def test_is_valid_is_membership(law):
    tokens = every(law)
    truth = torch.tensor([valid_by_definition(law, s) for s in tokens.tolist()])
    assert torch.equal(law.is_valid(tokens), truth)
    assert torch.equal(
        law.is_valid(tokens[None, :, None]), truth[None, :, None]
    )  # any leading axes


@pytest.mark.parametrize("length", [2, 5, 16])
def test_parity_has_half_of_all_strings(length):
    law = Parity(length)
    assert law.support.shape == (2 ** (length - 1), length) and law.is_valid(law.support).all()
    assert len(law.support.unique(dim=0)) == len(law.support)


@pytest.mark.parametrize("length", [2, 8, 16])
def test_dyck_words_are_counted_by_catalan(length):
    half = length // 2
    law = Dyck(length)
    assert (
        law.support.shape == (math.comb(length, half) // (half + 1), length)
        and law.is_valid(law.support).all()
    )


def test_quarter_sum_has_670_strings():
    assert QuarterSum().support.shape == (670, 4)


@pytest.mark.parametrize("law", SMALL, ids=repr)
def test_marginals_by_counting(law):
    listed = law.support.tolist()
    symbols = range(len(law.alphabet))
    truth = [
        [sum(s[i] == k for s in listed) / len(listed) for k in symbols] for i in range(law.length)
    ]
    torch.testing.assert_close(law.marginals(), torch.tensor(truth, dtype=torch.float64))
    torch.testing.assert_close(law.probabilities.sum(), torch.tensor(1.0, dtype=torch.float64))


def test_membership_of_long_strings_of_many_symbols():
    """In base 32 a string of 14 symbols is a number beyond 64 bits, whose first digits would be lost."""

    class Own(Grammar):
        alphabet, length, support = tuple(map(chr, range(65, 97))), 14, torch.arange(14)[None]

    other = torch.cat([torch.tensor([[31]]), Own.support[:, 1:]], 1)
    assert Own().is_valid(torch.stack([Own.support, other])).tolist() == [[True], [False]]


def test_samples_follow_the_law():
    law, n = Check(4, 4, correlation=0.5), 20_000
    drawn = law.sample(n, torch.Generator().manual_seed(0))
    found = (drawn[:, None] == law.support).all(-1).double().mean(0)
    error = (law.probabilities * (1 - law.probabilities) / n).sqrt()
    assert drawn.shape == (n, 4) and ((found - law.probabilities).abs() < 4 * error).all()


def test_independent_probability_is_of_readable_strings():
    for symbol in (-1, 2):
        with pytest.raises(ValueError, match=f"symbols.* {symbol}.*; allowed: 0 to 1"):
            Parity(4).independent_probability(torch.tensor([[symbol, 0, 0, 0]]))


@pytest.mark.parametrize("order", [3, 4, 8])
def test_a_correlated_pair_brings_another(order):
    law = Check(8, order, 0.4)
    signs = 1 - 2 * law.support.double()
    assert law.probabilities @ signs[:, :2].prod(1) == pytest.approx(0.4)
    assert law.probabilities @ signs[:, 2:order].prod(1) == pytest.approx(0.4)


@pytest.mark.parametrize("law", SMALL, ids=repr)
def test_information_by_counting(law):
    def entropy(items):
        counts = [items.count(item) for item in set(items)]
        return -sum(c / len(items) * math.log2(c / len(items)) for c in counts)

    columns = [tuple(column) for column in law.support.T.tolist()]
    truth = [[entropy(a) + entropy(b) - entropy(list(zip(a, b))) for b in columns] for a in columns]
    information = law.pairwise_information()
    torch.testing.assert_close(
        information, torch.tensor(truth, dtype=torch.float64), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(information, information.T, atol=1e-14, rtol=0)


@pytest.mark.parametrize("length", [3, 4, 8])
def test_any_two_signs_of_parity_are_independent(length):
    torch.testing.assert_close(
        Parity(length).pairwise_information(), torch.eye(length, dtype=torch.float64)
    )


def test_two_signs_of_parity_are_one_bit():
    torch.testing.assert_close(
        Parity(2).pairwise_information(), torch.ones(2, 2, dtype=torch.float64)
    )


def test_quarter_sum_digits_are_dependent_and_equally_correlated():
    law = QuarterSum()
    off = ~torch.eye(4, dtype=torch.bool)
    assert (law.pairwise_information()[off] > 0.05).all()
    correlation = torch.corrcoef(law.support.double().T)
    size = correlation[0, 1].abs()
    assert size > 0.1
    sides = torch.tensor(
        [1.0, 1, -1, -1], dtype=torch.float64
    )  # digits of one sum fall as the other rises
    torch.testing.assert_close(correlation[off], (-size * sides[:, None] * sides)[off])


def test_quarter_sum_by_chance_is_near_seven_in_a_hundred():
    listed = [s for s in itertools.product(range(10), repeat=4) if s[0] + s[1] == s[2] + s[3]]
    p = [[sum(s[i] == k for s in listed) / len(listed) for k in range(10)] for i in range(4)]
    chance = sum(math.prod(p[i][s[i]] for i in range(4)) for s in listed)
    assert round(chance, 4) == 0.0705
    law = QuarterSum()
    assert law.independent_probability(law.support).sum().item() == pytest.approx(chance, abs=1e-12)
    assert law.independent_probability(every(law)).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("length", [2, 3, 8])
def test_parity_by_chance_is_a_half(length):
    law = Parity(length)
    assert law.independent_probability(law.support).sum().item() == pytest.approx(0.5, abs=1e-12)


def test_independent_probability_of_an_impossible_symbol_is_zero():
    law = Dyck(4)  # a word never starts with ")"
    assert law.independent_probability(torch.tensor([[1, 0, 1, 0]])).item() == 0
    assert law.independent_probability(every(law)).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("law", [Parity(4), Dyck(4), QuarterSum()], ids=repr)
@pytest.mark.parametrize("bad", [-1, 1000])
def test_unreadable_and_unknown_symbols_break_every_rule(law, bad):
    for i in range(law.length):
        tokens = law.support.clone()
        tokens[:, i] = bad
        assert not law.is_valid(tokens).any()
    out = torch.tensor(
        [[len(law.alphabet), 0, len(law.alphabet), 0], [-1, 1, 0, 0], [2, 2, -1, -1]]
    )
    assert not law.is_valid(out).any()


def test_split_partitions_the_support():
    law = QuarterSum()
    train, held_out = law.split(470, seed=0)
    assert train.shape == (470, 4) and held_out.shape == (200, 4)
    assert not strings(train) & strings(held_out)
    assert strings(train) | strings(held_out) == strings(law.support)


def test_split_is_decided_by_its_seed_alone():
    law = Parity(8)
    torch.manual_seed(1)
    first = law.split(64, seed=5)
    torch.manual_seed(2)
    again = law.split(64, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(first, again))
    assert strings(law.split(64, seed=6)[0]) != strings(first[0])


def test_split_may_take_everything():
    train, held_out = Parity(4).split(8, seed=0)
    assert strings(train) == strings(Parity(4).support) and held_out.shape == (0, 4)


@pytest.mark.parametrize("n_train", [0, -1, 671])
def test_split_refuses_what_the_support_cannot_give(n_train):
    with pytest.raises(ValueError, match=f"n_train={n_train}.*670"):
        QuarterSum().split(n_train, seed=0)


def test_text_shows_unreadable_symbols():
    assert Parity(3).text(torch.tensor([[0, 1, -1], [1, 1, 0]])) == ["()?", "))("]
    assert QuarterSum().text(torch.tensor([[9, 0, 4, 5]])) == ["9045"]


def test_make_builds_by_name():
    assert grammar.make("parity", length=8) == Parity(8)
    assert grammar.make("quarter_sum") == QuarterSum()
    assert grammar.make("dyck", length=6) != grammar.make("dyck", length=8)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: grammar.make("sudoku"), "sudoku.*parity, check, dyck, quarter_sum"),
        (lambda: grammar.make("parity"), "length"),
        (lambda: grammar.make("parity", depth=3), "depth"),
        (lambda: Dyck(7), "length=7.*even"),
        (lambda: Dyck(0), "length=0"),
        (lambda: Dyck(28), "length=28"),
        (lambda: Parity(1), "length=1"),
        (lambda: Parity(40), "length=40"),
        (lambda: Parity(4).is_valid(torch.zeros(2, 5, dtype=torch.int64)), "5 symbols.*length 4"),
        (lambda: Check(1, 2), "length=1"),
        (lambda: Check(24, 2), "length=24"),
        (lambda: Check(8, 1), "order=1.*2 to length=8"),
        (lambda: Check(8, 9), "order=9.*2 to length=8"),
        (lambda: Check(8, 2, 0.3), r"correlation=0\.3.*0 for order 2"),
        (lambda: Check(8, 3, 1.0), r"correlation=1\.0.*inside"),
        (lambda: Check(8, 3, -1.0), r"correlation=-1\.0.*inside"),
        (lambda: grammar.make("check", length=8), "order"),
        (lambda: Lexicon("german"), "'german'.*'english'"),
        (lambda: Lexicon(()), r"words=\(\)"),
        (lambda: Lexicon(("be", "a", "be")), "distinct"),
        (lambda: Lexicon(("a", "")), "without blanks around"),
        (lambda: Lexicon(("a", " be")), "without blanks around"),
        (lambda: Lexicon(("a", "bee"), cells=2), "cells=2.*from 3"),
        (lambda: Lexicon(("a", "bee"), whole=True, cells=3), "cells=3.*None for whole words"),
        (lambda: Lexicon(("a", "b?")), r"line breaks and '\?'"),
        (lambda: Lexicon(("a", "b\nc")), "line breaks"),
        (lambda: Lexicon(("a", 3)), r"words=\('a', 3\); allowed"),
        (lambda: Parity(8.0), r"length=8\.0; allowed: a value of the type int"),
        (lambda: Check(8, 2.5), r"order=2\.5"),
        (lambda: Characters(2.5), r"count=2\.5"),
        (lambda: Characters(0), "count=0.*1 to 3000"),
        (lambda: Characters(3001), "count=3001.*1 to 3000"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_rule_of_ones_own_needs_a_support_only():
    @dataclass(frozen=True)
    class Palindrome(Grammar):
        alphabet = ("a", "b", "c")
        length = 4

        @cached_property
        def support(self):
            every = torch.cartesian_prod(*[torch.arange(3)] * 4)
            return every[(every == every.flip(-1)).all(-1)]

    rule = Palindrome()
    every = torch.cartesian_prod(
        *[torch.arange(-1, 4)] * 4
    )  # unreadable and foreign symbols among them
    right = (every == every.flip(-1)).all(-1) & (every >= 0).all(-1) & (every < 3).all(-1)
    assert torch.equal(rule.is_valid(every), right)
    assert rule.independent_probability(rule.support).sum() == pytest.approx(1 / 9)


@pytest.mark.parametrize("length", [2, 3, 8])
def test_a_check_of_all_is_parity(length):
    check, parity = Check(length, length), Parity(length)
    assert torch.equal(check.support, parity.support) and torch.equal(
        check.probabilities, parity.probabilities
    )
    assert torch.equal(check.is_valid(every(parity)), parity.is_valid(every(parity)))


@pytest.mark.parametrize("order", range(2, 9))
def test_every_order_is_one_bit_of_rule(order):
    law = Check(8, order)
    assert law.support.shape == (128, 8)
    assert law.independent_probability(law.support).sum().item() == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(
    "order, correlation", [(2, 0.0), (3, 0.4), (4, 0.0), (4, 0.9), (6, -0.3), (6, 0.6)]
)
def test_moments_of_checks(order, correlation):
    """The law of signs is ∝ (1 + x_1⋯x_order)(1 + ρ x_1 x_2): its moments are the coefficients of the product."""
    law, all_of_them, pair = Check(6, order, correlation), set(range(order)), {0, 1}
    terms = [
        (set(), 1.0),
        (all_of_them, 1.0),
        (pair, correlation),
        (pair ^ all_of_them, correlation),
    ]
    signs = 1 - 2 * law.support.double()
    for n in range(7):
        for places in itertools.combinations(range(6), n):
            found = (law.probabilities * signs[:, list(places)].prod(1)).sum().item()
            truth = sum(coefficient for monomial, coefficient in terms if monomial == set(places))
            assert found == pytest.approx(truth, abs=1e-12)


def test_a_subset_keeps_the_ratios_of_its_weights():
    law = Check(8, 8, 0.6)
    subset, _ = law.split(40, seed=0)
    place = {tuple(s): i for i, s in enumerate(law.support.tolist())}
    own = law.probabilities[[place[tuple(s)] for s in subset.tolist()]]
    torch.testing.assert_close(law.weights(subset), own / own.sum(), rtol=1e-12, atol=0)
    assert own.max() / own.min() == pytest.approx(1.6 / 0.4)
    assert (Check(8, 8).weights(subset) == 1 / 40).all()


def test_lexicon_is_its_words_and_blanks():
    law = Lexicon(WORDS, cells=6)
    assert (
        set(law.alphabet) == set(" toeis'aI")
        and law.alphabet[0] == " "
        and Lexicon(WORDS).length == 4
    )
    assert law.text(law.support) == [word.ljust(6) for word in sorted(WORDS)]
    assert law.support.tolist() == sorted(law.support.tolist())


def test_a_word_is_valid_as_it_stands_in_the_list():
    law = Lexicon(WORDS)

    def valid(*texts):
        found = [
            [law.alphabet.index(letter) if letter in law.alphabet else -1 for letter in text]
            for text in texts
        ]
        return law.is_valid(torch.tensor(found)).tolist()

    assert valid("to  ", "it's", "I   ") == [True] * 3
    assert valid("t   ", " to ", "to a", "    ", "i   ", "tooo", "to ?", "oto ") == [False] * 8


def test_whole_words_are_symbols():
    law = Lexicon(WORDS, whole=True)
    assert law.alphabet == tuple(sorted(WORDS)) and law.length == 1
    assert law.text(law.support) == sorted(WORDS)
    assert law.is_valid(torch.tensor([[-1], [5], [4]])).tolist() == [False, False, True]


def test_the_english_lexicon_is_the_papers_list():
    law = Lexicon()
    assert [text.rstrip() for text in law.text(law.support)] == sorted(assets.words())
    assert law == grammar.make("lexicon", words="english") and law != Lexicon(assets.words()[:10])
    assert law.is_valid(law.support).all() and law.support.shape == (999, 14)
    assert Lexicon(list(WORDS)) == Lexicon(WORDS)  # a list, as JSON gives it back


def test_marginals_of_characters_are_those_of_any_grammar():
    law = Characters(7)
    torch.testing.assert_close(law.marginals(), Grammar.marginals(law), rtol=1e-12, atol=1e-15)
    chance = law.independent_probability(law.support)
    torch.testing.assert_close(chance, torch.full((7,), 7.0**-4, dtype=torch.float64))
    torch.testing.assert_close(
        law.pairwise_information(), torch.full((4, 4), math.log2(7), dtype=torch.float64)
    )


def test_all_characters_have_quarters():
    law = Characters(3000)
    assert law.support.shape == (3000, 4) and len(set(law.alphabet)) == 12_000
    assert law.text(law.support[-1:]) == [
        "".join(assets.characters()[-1] + quarter for quarter in "▘▝▖▗")
    ]
    mixed = law.support.clone()
    mixed[:, 3] = mixed[:, 3].roll(1)
    assert law.is_valid(law.support).all() and not law.is_valid(mixed).any()


@pytest.mark.parametrize("deepest", [1, 2, 3, 4, 5, 6])
def test_bounded_nesting_is_what_brute_force_finds(deepest):
    bounded, free = Dyck(12, deepest), Dyck(12)
    heights = (1 - 2 * free.support).cumsum(1).amax(1)
    assert torch.equal(bounded.support, free.support[heights <= deepest])
    every = torch.cartesian_prod(*[torch.arange(2)] * 12)
    assert bounded.is_valid(every).sum() == len(bounded.support)
    assert [len(Dyck(12, d).support) for d in (1, 2, 6)] == [1, 32, 132]


def test_a_depth_below_one_is_refused():
    with pytest.raises(ValueError, match="dyck.deepest=0; allowed: from 1, or None"):
        Dyck(8, 0)


@pytest.mark.parametrize("symbols, length", [(2, 5), (3, 3), (10, 1), (1, 4)])
def test_every_string_is_there_once_and_in_order(symbols, length):
    found = grammar.every_string(symbols, length).tolist()
    assert found == [list(row) for row in itertools.product(range(symbols), repeat=length)]


def test_too_many_strings_are_not_enumerated():
    with pytest.raises(ValueError, match="16777216 strings; allowed: up to 8388608"):
        grammar.every_string(2, 24)
    with pytest.raises(ValueError, match="9 strings; allowed: up to 8"):
        grammar.every_string(3, 2, most=8)
