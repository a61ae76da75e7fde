"""The exact denoisers against brute force over every image, closed forms, and what sampling from them gives."""

import itertools
import math

import pytest
import torch

from localbias import exact
from localbias.diffusion import Schedule, ddim, last
from localbias.grammar import (
    Characters,
    Check,
    Dyck,
    Grammar,
    Lexicon,
    Parity,
    QuarterSum,
    maximum_entropy,
)
from localbias.render import Cells, Digits, Glyphs, Scalars, Words
from localbias.render import Characters as Quarters

SCHEDULE = Schedule()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def brute_force(
    images: torch.Tensor, weights: torch.Tensor, x: torch.Tensor, alpha_bar: float
) -> torch.Tensor:
    """E[x0 | x] over weighted images [n, *shape], one squared distance at a time."""
    means = []
    for one in x:
        distance = (one - math.sqrt(alpha_bar) * images.double()).flatten(1).square().sum(1)
        posterior = (weights.double().log() - distance / (2 * (1 - alpha_bar))).softmax(0)
        means.append(torch.einsum("n,n...->...", posterior, images.double()))
    return torch.stack(means)


def toy(grid=(1, 3), symbols=2, exemplars=2, seed=5) -> Cells:
    """A renderer with small random exemplars, no two alike."""
    return Cells(torch.rand(symbols, exemplars, 2, 2, generator=seeded(seed)) * 2 - 1, grid)


def every_image(strings, weights, renderer):
    """All images of weighted strings under fresh rendering, with their probabilities."""
    exemplars = torch.tensor(
        list(itertools.product(range(renderer.pool.shape[1]), repeat=renderer.length))
    )
    images = torch.cat(
        [renderer.draw(string.expand_as(exemplars), exemplars) for string in strings]
    )
    return images, weights.repeat_interleave(len(exemplars)) / len(exemplars)


def product_images(cells):
    """All images whose cell i is one of cells[i] = [(atom, probability), ...]."""
    images, weights = [], []
    for combination in itertools.product(*cells):
        images.append(torch.stack([atom.flatten() for atom, _ in combination]))
        weights.append(math.prod(probability for _, probability in combination))
    return torch.stack(images), torch.tensor(weights, dtype=torch.float64)


TRAIN = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 1, 0]])  # a repeated string weighs twice
FIXED = torch.tensor([[0, 1, 1], [1, 1, 0], [0, 1, 0]])


def expected(law, fixed, renderer):
    """Images [n, *shape] and probabilities [n] of the named law, spelled out."""
    grammar, pool = Parity(3), renderer.pool
    uniform = torch.full((3,), 1 / 3, dtype=torch.float64)
    if law == "rule":
        valid = [s for s in itertools.product((0, 1), repeat=3) if sum(s) % 2 == 0]
        return every_image(
            torch.tensor(valid), torch.full((4,), 0.25, dtype=torch.float64), renderer
        )
    if law == "train":
        return (
            (renderer.draw(TRAIN, FIXED), uniform)
            if fixed
            else every_image(TRAIN, uniform, renderer)
        )
    if law == "marginals":
        p = grammar.marginals()
        cells = [
            [(pool[k, e], p[i, k].item() / 2) for k in (0, 1) for e in (0, 1)] for i in range(3)
        ]
    elif fixed:
        cells = [[(pool[TRAIN[n, i], FIXED[n, i]], 1 / 3) for n in range(3)] for i in range(3)]
    else:
        cells = [
            [(pool[TRAIN[n, i], e], 1 / 6) for n in range(3) for e in (0, 1)] for i in range(3)
        ]
    images, weights = product_images(cells)
    return renderer.join(images), weights


def build(law, fixed, renderer, schedule=SCHEDULE):
    if law in ("rule", "marginals"):
        return getattr(exact, law)(Parity(3), renderer, schedule)
    return getattr(exact, law)(TRAIN, renderer, schedule, FIXED if fixed else None)


LAWS = [
    ("rule", False),
    ("marginals", False),
    ("train", False),
    ("train", True),
    ("patches", False),
    ("patches", True),
]


@pytest.mark.parametrize("level", [0.1, 0.6, 0.95])
@pytest.mark.parametrize("law, fixed", LAWS)
def test_every_law_is_the_softmax_over_all_its_images(law, fixed, level):
    renderer, t = toy(), SCHEDULE.index(sqrt_alpha_bar=level)
    denoiser = build(law, fixed, renderer)
    x = normal(5, *renderer.shape)
    truth = brute_force(*expected(law, fixed, renderer), x, SCHEDULE.alpha_bar[t].item())
    torch.testing.assert_close(denoiser(x, t), truth, rtol=1e-9, atol=1e-9)


class Loaded(Parity):
    """Parity of signs whose strings are not equally likely."""

    @property
    def probabilities(self):
        return torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)


def test_a_grammar_may_weigh_its_strings():
    grammar, renderer, t = Loaded(3), toy(), SCHEDULE.index(sqrt_alpha_bar=0.4)
    x, alpha_bar = normal(5, *renderer.shape), SCHEDULE.alpha_bar[t].item()
    truth = brute_force(
        *every_image(grammar.support, grammar.probabilities, renderer), x, alpha_bar
    )
    torch.testing.assert_close(
        exact.rule(grammar, renderer, SCHEDULE)(x, t), truth, rtol=1e-9, atol=1e-9
    )


def test_the_laws_differ():
    x = normal(4, 1, 2, 6)
    means = [build(law, fixed, toy())(x, SCHEDULE.index(sqrt_alpha_bar=0.6)) for law, fixed in LAWS]
    for one, other in itertools.combinations(means, 2):
        assert (one - other).abs().max() > 1e-3


def test_called_like_any_denoiser():
    renderer = toy()
    denoiser = exact.rule(Parity(3), renderer, SCHEDULE)
    x, t = (
        normal(6, *renderer.shape, dtype=torch.float32),
        torch.tensor([0, 10, 200, 500, 800, 999]),
    )
    together = denoiser(x, t)
    assert denoiser.target == "x0" and together.shape == x.shape and together.dtype == torch.float32
    for i in range(6):
        torch.testing.assert_close(denoiser(x[i : i + 1], int(t[i])), together[i : i + 1])
    torch.testing.assert_close(denoiser(x, torch.tensor(300)), denoiser(x, 300), rtol=0, atol=0)


def test_large_batches_in_chunks_are_the_same(monkeypatch):
    renderer = toy()
    x, t = normal(7, *renderer.shape), torch.arange(7) * 100
    for law, fixed in LAWS:
        denoiser = build(law, fixed, renderer)
        whole = denoiser(x, t)
        monkeypatch.setattr(exact.reference, "CHUNK", 2 * denoiser.numbers_per_sample)
        torch.testing.assert_close(denoiser(x, t), whole, rtol=0, atol=1e-14)
        monkeypatch.undo()


@pytest.mark.parametrize("length", [2, 3, 5, 8])
@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_parity_of_signs_in_closed_form(length, level):
    denoiser = exact.rule(Parity(length), Scalars(length), SCHEDULE)
    t = SCHEDULE.index(sqrt_alpha_bar=level)
    alpha_bar = SCHEDULE.alpha_bar[t]
    x = normal(20, length)
    tanh = (alpha_bar.sqrt() * x / (1 - alpha_bar)).tanh()
    for i in range(length):
        others = tanh[:, [k for k in range(length) if k != i]].prod(1)
        truth = (tanh[:, i] + others) / (1 + tanh[:, i] * others)
        torch.testing.assert_close(denoiser(x, t)[:, i], truth, rtol=1e-8, atol=1e-8)


def test_any_law_of_signs_by_its_fourier_coefficients():
    # E[x0_i | x] = Σ_S p̂(S Δ {i}) tanh_S / Σ_S p̂(S) tanh_S, with p̂(S) = E ∏_{k ∈ S} x0_k
    strings = torch.randint(2, (9, 4), generator=seeded(2))
    signs = (1 - 2 * strings).double()
    t = SCHEDULE.index(sqrt_alpha_bar=0.7)
    alpha_bar = SCHEDULE.alpha_bar[t]
    x = normal(10, 4)
    tanh = (alpha_bar.sqrt() * x / (1 - alpha_bar)).tanh()
    subsets = [frozenset(s) for n in range(5) for s in itertools.combinations(range(4), n)]
    hat = {s: signs[:, sorted(s)].prod(1).mean() for s in subsets}
    product = {s: tanh[:, sorted(s)].prod(1) for s in subsets}
    below = sum(hat[s] * product[s] for s in subsets)
    above = [sum(hat[s ^ {i}] * product[s] for s in subsets) for i in range(4)]
    found = exact.train(strings, Scalars(4), SCHEDULE)(x, t)
    torch.testing.assert_close(
        found, torch.stack([a / below for a in above], 1), rtol=1e-9, atol=1e-9
    )


def jacobian(denoiser, x, t):
    """[B, d, d] of each sample, by reverse mode with batched cotangents."""
    x = x.clone().requires_grad_()
    y = denoiser(x, t).flatten(1)
    cotangents = torch.eye(y.shape[1], dtype=y.dtype)[:, None].expand(-1, len(x), -1)
    (rows,) = torch.autograd.grad(y, x, cotangents, is_grads_batched=True)
    return rows.flatten(2).transpose(0, 1)


@pytest.mark.parametrize("law, fixed", LAWS)
def test_jacobian_is_the_posterior_covariance(law, fixed):
    renderer = toy()
    denoiser = build(law, fixed, renderer)
    t = SCHEDULE.index(sqrt_alpha_bar=0.6)
    alpha_bar = SCHEDULE.alpha_bar[t].item()
    x = normal(1, *renderer.shape)
    images, weights = expected(law, fixed, renderer)
    distance = (x - math.sqrt(alpha_bar) * images.double()).flatten(1).square().sum(1)
    posterior = (weights.log() - distance / (2 * (1 - alpha_bar))).softmax(0)
    flat = images.double().flatten(1)
    centred = flat - posterior @ flat
    covariance = centred.T @ (posterior[:, None] * centred)
    found = jacobian(denoiser, x, t)[0]
    torch.testing.assert_close(
        found, math.sqrt(alpha_bar) / (1 - alpha_bar) * covariance, rtol=1e-8, atol=1e-9
    )
    func = torch.func.jacrev(lambda one: denoiser(one[None], t)[0])(x[0])
    torch.testing.assert_close(func.reshape(found.shape), found, rtol=1e-9, atol=1e-12)


def test_vmap_over_samples_and_steps():
    denoiser = exact.rule(Parity(4), Scalars(4), SCHEDULE)
    x, t = normal(5, 4), torch.tensor([3, 100, 400, 700, 900])
    mapped = torch.func.vmap(lambda one, step: denoiser(one[None], step)[0])(x, t)
    torch.testing.assert_close(mapped, denoiser(x, t), rtol=1e-12, atol=1e-12)


def test_only_local_laws_have_a_block_diagonal_jacobian():
    renderer, t = toy((2, 2)), SCHEDULE.index(sqrt_alpha_bar=0.6)
    regions = torch.stack([renderer.region(i) for i in range(4)]).flatten(1)
    same = (regions[:, :, None] & regions[:, None, :]).any(0)
    x = normal(3, *renderer.shape)
    strings, _ = Dyck(4).split(2, 0)
    for local in (
        exact.marginals(Dyck(4), renderer, SCHEDULE),
        exact.patches(strings, renderer, SCHEDULE),
    ):
        found = jacobian(local, x, t)
        assert found[:, ~same].abs().max() == 0 and found[:, same].abs().max() > 0.01
    assert jacobian(exact.rule(Dyck(4), renderer, SCHEDULE), x, t)[:, ~same].abs().max() > 0.01


@pytest.mark.parametrize("law, fixed", LAWS)
def test_all_noise_gives_the_mean_and_no_noise_the_signal(law, fixed):
    renderer = toy()
    images, weights = expected(law, fixed, renderer)
    mean = torch.einsum("n,n...->...", weights, images.double())
    drowned = build(law, fixed, renderer, Schedule(beta_start=0.0005, beta_end=0.05))  # √ᾱ_T 3e-6
    torch.testing.assert_close(
        drowned(normal(1, *renderer.shape), 999)[0], mean, rtol=1e-4, atol=1e-4
    )
    x = SCHEDULE.add_noise(images, normal(*images.shape, dtype=torch.float32), 0)
    torch.testing.assert_close(build(law, fixed, renderer)(x, 0), images, rtol=1e-5, atol=1e-5)


def test_posterior_names_the_string():
    grammar = QuarterSum()
    renderer = Digits(28, exemplars=3)
    denoiser = exact.rule(grammar, renderer, SCHEDULE)
    chosen = torch.tensor([0, 77, 669])
    x0 = renderer(grammar.support[chosen], seeded())
    early, late = SCHEDULE.index(sqrt_alpha_bar=0.9), 999
    sure = denoiser.posterior(
        SCHEDULE.add_noise(x0, normal(*x0.shape, dtype=torch.float32), early), early
    )
    unsure = denoiser.posterior(normal(*x0.shape), late)
    assert sure.shape == (3, 670) and sure.dtype == torch.float64
    assert (sure.argmax(1) == chosen).all() and (sure.amax(1) > 0.999).all()
    assert (unsure.amax(1) < 0.05).all()
    torch.testing.assert_close(unsure.sum(1), torch.ones(3, dtype=torch.float64))


def test_posterior_mean_has_the_mean_of_the_data_and_the_least_error():
    # Tower property: E[E[x0 | x_t]] = E[x0]; and on the rule's data no other law's reference errs less.
    grammar, renderer, n = Dyck(6), Scalars(6), 20_000
    t = SCHEDULE.index(sqrt_alpha_bar=0.5)
    strings = grammar.support[torch.randint(len(grammar.support), (n,), generator=seeded(1))]
    x0 = renderer(strings).double()
    x_t = SCHEDULE.add_noise(x0, normal(n, 6, seed=2), t)
    mean = exact.rule(grammar, renderer, SCHEDULE)(x_t, t)
    truth = grammar.marginals()[:, 0] - grammar.marginals()[:, 1]
    assert (mean.mean(0) - truth).abs().max() < 4 / math.sqrt(n)  # |x0| ≤ 1
    for direction in (x_t, mean):  # the error is uncorrelated with whatever is known from x_t
        product = (x0 - mean) * direction
        assert (product.mean(0).abs() < 4 * product.std(0) / math.sqrt(n) + 1e-9).all()
    local = exact.marginals(grammar, renderer, SCHEDULE)(x_t, t)
    assert (x0 - mean).square().mean() < (x0 - local).square().mean() - 0.01


def read(renderer, signals):
    """Nearest symbol of each cell, and the distance to its nearest exemplar."""
    distance = torch.cdist(renderer.split(signals), renderer.pool.flatten(2).flatten(0, 1))
    nearest, atom = distance.min(-1)
    assert nearest.max() < 0.05  # references give back their atoms
    return atom // renderer.pool.shape[1]


CASES = {
    "scalars": (Parity(6), Scalars(6), 16),
    "glyphs": (Dyck(6), Glyphs((2, 3), (16, 24)), 3),
    "digits": (QuarterSum(), Digits(16, exemplars=4), 300),
}


@pytest.mark.parametrize("eta, steps", [(0.0, 40), (1.0, 120)])
@pytest.mark.parametrize("case", CASES)
def test_sampling_from_rule_train_and_marginals(case, eta, steps):
    grammar, renderer, n_train = CASES[case]
    n = 400
    x_T = normal(n, *renderer.shape, seed=3, dtype=torch.float32)
    strings, _ = grammar.split(n_train, 0)
    known = set(map(tuple, strings.tolist()))

    def drawn(denoiser):
        return read(
            renderer, last(ddim(denoiser, SCHEDULE, x_T, steps=steps, eta=eta, generator=seeded(4)))
        )

    tokens = drawn(exact.rule(grammar, renderer, SCHEDULE))
    assert grammar.is_valid(tokens).all()
    assert not set(map(tuple, tokens.tolist())) <= known  # the rule goes beyond the training set
    for exemplars in (None, renderer.exemplars(strings, seeded(5))):
        tokens = drawn(exact.train(strings, renderer, SCHEDULE, exemplars))
        assert set(map(tuple, tokens.tolist())) <= known
    tokens = drawn(exact.marginals(grammar, renderer, SCHEDULE))
    chance = grammar.independent_probability(grammar.support).sum().item()
    valid = grammar.is_valid(tokens).double().mean().item()
    assert abs(valid - chance) < 4 * math.sqrt(chance * (1 - chance) / n)


def test_ancestral_sampling_from_rule_is_uniform_over_the_support():
    grammar, renderer, n = Parity(4), Scalars(4), 4000
    denoiser = exact.rule(grammar, renderer, SCHEDULE)
    x_T = normal(n, 4, seed=6, dtype=torch.float32)
    tokens = read(
        renderer, last(ddim(denoiser, SCHEDULE, x_T, steps=200, eta=1.0, generator=seeded(7)))
    )
    _, counts = tokens.unique(dim=0, return_counts=True)
    chi_square = ((counts - n / 8).square() / (n / 8)).sum()
    assert (
        len(counts) == 8 and chi_square < 29.88
    )  # of 7 degrees of freedom: passed over once in 10,000


def test_fixed_samples_are_training_images():
    grammar, renderer = QuarterSum(), Digits(16, exemplars=8)
    strings, _ = grammar.split(30, 0)
    exemplars = renderer.exemplars(strings, seeded())
    images = renderer.draw(strings, exemplars)
    denoiser = exact.train(strings, renderer, SCHEDULE, exemplars)
    samples = last(
        ddim(denoiser, SCHEDULE, normal(40, *renderer.shape, dtype=torch.float32), steps=40)
    )
    assert torch.cdist(samples.flatten(1), images.flatten(1)).amin(1).max() < 0.05


class Reading:
    """A reference that says the same as a prediction of the noise or of v."""

    def __init__(self, of: exact.Reference, target: str):
        self.of, self.target = of, target

    def __call__(self, x_t, t):
        return SCHEDULE.convert(self.of(x_t, t), x_t, t, "x0", self.target)


@pytest.mark.parametrize("target", ["x0", "noise", "v"])
def test_gap_is_the_squared_distance_of_each_signal(target):
    renderer, t = toy(), SCHEDULE.index(sqrt_alpha_bar=0.6)
    alpha_bar = SCHEDULE.alpha_bar[t].item()
    x0 = renderer.draw(TRAIN, FIXED)
    x_t = math.sqrt(alpha_bar) * x0.double() + math.sqrt(1 - alpha_bar) * normal(
        3, *renderer.shape, seed=8
    )
    rule, local = (
        brute_force(*expected(law, False, renderer), x_t, alpha_bar)
        for law in ("rule", "marginals")
    )
    better, worse = build("rule", False, renderer), build("marginals", False, renderer)
    found = exact.gap(better, Reading(worse, target), x0, t, seeded(8))
    assert x0.dtype == torch.float32 and found.dtype == torch.float64
    torch.testing.assert_close(
        found, (rule - local).square().mean((1, 2, 3)), rtol=1e-8, atol=1e-12
    )
    assert found.min() > 1e-4 and exact.gap(better, Reading(better, target), x0, t).max() < 1e-20


def test_gap_is_the_excess_loss_where_the_data_follow_the_better_law():
    grammar, renderer, n = Dyck(6), Scalars(6), 20_000
    t = SCHEDULE.index(sqrt_alpha_bar=0.7)
    x0 = renderer(
        grammar.support[torch.randint(len(grammar.support), (n,), generator=seeded(1))]
    ).double()
    x_t = SCHEDULE.add_noise(x0, normal(n, 6, seed=2), t)
    rule, local = (law(grammar, renderer, SCHEDULE) for law in (exact.rule, exact.marginals))
    excess = ((local(x_t, t) - x0).square() - (rule(x_t, t) - x0).square()).mean(1)
    for signals, holds in (
        (x0, True),
        (-x0, False),
    ):  # read backwards, Dyck words follow another law
        found = exact.gap(rule, local, signals, t, seeded(2 if holds else 3))
        error = (found - excess).std() / math.sqrt(n)
        assert ((found - excess).mean().abs() < 4 * error < excess.mean() / 8) == holds


def saved(ratio: float) -> float:
    """The loss that the rule of two equal signs saves, at signal-to-noise √ᾱ/√(1−ᾱ) = ratio.

    E[x0_1 | x] is tanh(h_1 + h_2) by the rule and tanh(h_1) by the marginal, and at +1, +1 each h is N(ratio², ratio²).
    """
    z = torch.linspace(-7, 7, 281, dtype=torch.float64)
    weight = (-z.square() / 2).exp()
    h = ratio**2 + ratio * z
    apart = ((h[:, None] + h).tanh() - h[:, None].tanh()).square()
    return (weight @ apart @ weight / weight.sum() ** 2).item()


def contrast(renderer) -> tuple[float, int]:
    """‖Δ‖ of two exemplars that are 2Δ apart, and the numbers of a cell."""
    delta = (renderer.pool[0, 0] - renderer.pool[1, 0]) / 2
    return delta.norm().item(), delta.numel()


PAIRS = {"scalars": Scalars(2), "glyphs": Glyphs((1, 2), (16, 16))}


@pytest.mark.parametrize("ratio", [0.3, 0.8, 1.5])
@pytest.mark.parametrize("pair", PAIRS)
def test_gap_of_two_signs_in_closed_form(pair, ratio):
    """However a symbol is drawn, only √ᾱ‖Δ‖/√(1−ᾱ) tells how well it is seen."""
    renderer, grammar, n = PAIRS[pair], Parity(2), 4000
    size, numbers = contrast(renderer)
    t = SCHEDULE.index(sqrt_alpha_bar=ratio / math.sqrt(size**2 + ratio**2))
    at = size * (SCHEDULE.alpha_bar[t] / (1 - SCHEDULE.alpha_bar[t])).sqrt().item()
    laws = (law(grammar, renderer, SCHEDULE) for law in (exact.rule, exact.marginals))
    found = (
        exact.gap(*laws, renderer(grammar.support[torch.arange(n) % 2]), t, seeded(4))
        * numbers
        / size**2
    )
    assert found.shape == (n,) and abs(at / ratio - 1) < 0.05
    assert abs(found.mean() - saved(at)) < 4 * found.std() / math.sqrt(n) < saved(at) / 5


def test_band_is_where_the_rule_matters():
    """Between too much noise to see the other symbols and too little to need them; for pictures at far lower √ᾱ."""
    steps = torch.arange(0, 1000, 12)
    levels, bands = SCHEDULE.alpha_bar[steps].sqrt(), {}
    for pair, renderer in PAIRS.items():
        grammar, (size, _) = Parity(2), contrast(renderer)
        laws = [law(grammar, renderer, SCHEDULE) for law in (exact.rule, exact.marginals)]
        x0 = renderer(grammar.support[torch.arange(600) % 2])
        gaps = torch.stack([exact.gap(*laws, x0, t, seeded()).mean() for t in steps.tolist()])
        truth = torch.tensor([saved(size * c / math.sqrt(1 - c**2)) for c in levels.tolist()])
        true_band, bands[pair] = exact.band(levels, truth), exact.band(levels, gaps)
        places = [
            [levels.tolist().index(edge) for edge in band] for band in (true_band, bands[pair])
        ]
        assert all(abs(i - j) <= 1 for i, j in zip(*places))  # a step, by chance
    (low, high), (low_of_signs, high_of_signs) = bands["glyphs"], bands["scalars"]
    assert low < low_of_signs / 3 and high < high_of_signs / 1.5


def test_band_reaches_from_the_first_to_the_last_level():
    levels, gaps = (
        torch.tensor([0.75, 0.125, 0.5, 0.25, 0.875]),
        torch.tensor([1.0, 0.5, 0.5, 8.0, 2.0]),
    )
    assert exact.band(levels, gaps) == (
        0.25,
        0.875,
    )  # in any order, .5 between them though too weak
    assert exact.band(levels, gaps, share=1 / 16) == (0.125, 0.875)
    assert exact.band(levels, 1000 * gaps, share=0.25) == (
        0.25,
        0.875,
    )  # what just reaches the share is in
    assert exact.band(levels, gaps, share=0.26) == (0.25, 0.25)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: exact.rule(Parity(4), Scalars(5), SCHEDULE), "allowed: .*5"),
        (lambda: exact.marginals(Parity(4), Scalars(5), SCHEDULE), "allowed: .*5"),
        (lambda: exact.rule(QuarterSum(), Scalars(4), SCHEDULE), "symbols 0 to 9"),
        (lambda: exact.train(TRAIN[:0], toy(), SCHEDULE), r"strings \(0, 3\)"),
        (lambda: exact.train(TRAIN - 1, toy(), SCHEDULE), "symbols -1 to 0"),
        (lambda: exact.patches(TRAIN, toy(), SCHEDULE, FIXED + 1), "exemplars .* 1 to 2"),
        (lambda: exact.train(TRAIN, toy(), SCHEDULE, FIXED[:2]), r"exemplars \(2, 3\)"),
        (lambda: build("rule", False, toy())(torch.zeros(2, 1, 6, 2), 0), r"shape \(1, 6, 2\)"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_of_the_training_set_are_its_law():
    """A string twice as likely as another counts as if it stood there twice; fresh and fixed, by brute force too."""
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    strings, renderer = torch.tensor([[0, 0, 0], [1, 1, 0], [0, 1, 1]]), toy()
    t = SCHEDULE.index(sqrt_alpha_bar=0.4)
    x, alpha_bar = normal(5, *renderer.shape), SCHEDULE.alpha_bar[t].item()
    fresh = exact.train(strings, renderer, SCHEDULE, None, weights)(x, t)
    truth = brute_force(*every_image(strings, weights, renderer), x, alpha_bar)
    torch.testing.assert_close(fresh, truth, rtol=1e-9, atol=1e-9)
    fixed = exact.train(strings, renderer, SCHEDULE, FIXED, weights)(x, t)
    truth = brute_force(renderer.draw(strings, FIXED), weights, x, alpha_bar)
    torch.testing.assert_close(fixed, truth, rtol=1e-9, atol=1e-9)
    repeated = strings.repeat_interleave(torch.tensor([5, 2, 3]), 0)
    torch.testing.assert_close(
        exact.train(repeated, renderer, SCHEDULE)(x, t), fresh, rtol=1e-9, atol=1e-9
    )
    assert (exact.train(strings, renderer, SCHEDULE)(x, t) - fresh).abs().max() > 1e-3
    uniform = exact.train(
        strings, renderer, SCHEDULE, None, torch.full((3,), 1 / 3, dtype=torch.float64)
    )
    assert torch.equal(uniform(x, t), exact.train(strings, renderer, SCHEDULE)(x, t))


def test_correlated_checks_of_signs_by_their_fourier_coefficients():
    """p̂ of (1 + x_1⋯x_4)(1 + ρ x_1 x_2): 1, 1234, and ρ at 12 and 34; the fifth sign is on its own."""
    rho, t = 0.7, SCHEDULE.index(sqrt_alpha_bar=0.6)
    x = normal(12, 5)
    tanh = (SCHEDULE.alpha_bar[t].sqrt() * x / (1 - SCHEDULE.alpha_bar[t])).tanh()
    a, b, c, d, e = tanh.T
    below = 1 + a * b * c * d + rho * a * b + rho * c * d
    above = [a + b * c * d + rho * b + rho * a * c * d, b + a * c * d + rho * a + rho * b * c * d]
    found = exact.rule(Check(5, 4, rho), Scalars(5), SCHEDULE)(x, t)
    torch.testing.assert_close(
        found[:, :2], torch.stack(above, 1) / below[:, None], rtol=1e-9, atol=1e-9
    )
    torch.testing.assert_close(found[:, 4], e, rtol=1e-9, atol=1e-9)


def both_ways(build, monkeypatch):
    """The same reference by products of matrices and by index, as it is with many letters."""
    monkeypatch.setattr(exact.strings, "MANY", 10**6)
    few = build()
    monkeypatch.setattr(exact.strings, "MANY", 0)
    many = build()
    monkeypatch.undo()
    assert many.many and not few.many
    return few, many


@pytest.mark.parametrize("fixed", [False, True])
def test_with_many_letters_the_same_by_index(fixed, monkeypatch):
    renderer, weights = toy(), torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    few, many = both_ways(
        lambda: exact.train(TRAIN, renderer, SCHEDULE, FIXED if fixed else None, weights),
        monkeypatch,
    )
    x, t = normal(7, *renderer.shape), torch.arange(7) * 60 + 100
    torch.testing.assert_close(many(x, t), few(x, t), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(many.posterior(x, t), few.posterior(x, t), rtol=1e-12, atol=1e-14)
    at = SCHEDULE.index(sqrt_alpha_bar=0.6)
    torch.testing.assert_close(jacobian(many, x, at), jacobian(few, x, at), rtol=1e-10, atol=1e-12)
    assert jacobian(many, x, at).abs().max() > 0.1
    forward = torch.func.jacrev(lambda one: many(one[None], at)[0])(x[0])
    torch.testing.assert_close(
        forward.reshape(12, 12), jacobian(few, x[:1], at)[0], rtol=1e-10, atol=1e-12
    )
    mapped = torch.func.vmap(lambda one, step: many(one[None], step)[0])(x, t)
    torch.testing.assert_close(mapped, few(x, t), rtol=1e-12, atol=1e-12)
    monkeypatch.setattr(exact.reference, "CHUNK", 2 * many.numbers_per_sample)
    torch.testing.assert_close(many(x, t), few(x, t), rtol=1e-12, atol=1e-12)


def test_characters_are_the_softmax_over_their_pictures():
    """80 letters: by index. The rule knows whole characters; the marginals put any four quarters together."""
    count = 20
    law, renderer = Characters(count), Quarters(count, 16)
    assert len(law.alphabet) > exact.strings.MANY
    t = SCHEDULE.index(sqrt_alpha_bar=0.15)
    x0 = renderer(law.support)
    x = SCHEDULE.add_noise(x0, normal(*x0.shape, dtype=torch.float32), t).double()
    alpha_bar, uniform = (
        SCHEDULE.alpha_bar[t].item(),
        torch.full((count,), 1 / count, dtype=torch.float64),
    )
    rule, marginals = (of(law, renderer, SCHEDULE) for of in (exact.rule, exact.marginals))
    assert rule.many
    torch.testing.assert_close(
        rule(x, t), brute_force(x0, uniform, x, alpha_bar), rtol=1e-8, atol=1e-8
    )
    quarters = renderer.split(x)
    truth = torch.stack(
        [
            brute_force(renderer.pool[i::4, 0].flatten(1), uniform, quarters[:, i], alpha_bar)
            for i in range(4)
        ],
        1,
    )
    torch.testing.assert_close(marginals(x, t), renderer.join(truth), rtol=1e-8, atol=1e-8)
    assert (rule(x, t) - marginals(x, t)).abs().max() > 0.1
    here = renderer.region(0).flatten()  # a quarter listens to the others, unless it is on its own
    assert jacobian(rule, x[:1], t)[0][here][:, ~here].abs().max() > 0.01
    assert jacobian(marginals, x[:1], t)[0][here][:, ~here].abs().max() == 0


def test_words_are_the_softmax_over_their_pictures():
    words = ("to", "a", "toe", "it's", "I")
    law, renderer = Lexicon(words), Words((1, 4), (10, 24), words)
    t = SCHEDULE.index(sqrt_alpha_bar=0.2)
    x = normal(6, *renderer.shape)
    uniform = torch.full((5,), 0.2, dtype=torch.float64)
    truth = brute_force(renderer(law.support), uniform, x, SCHEDULE.alpha_bar[t].item())
    torch.testing.assert_close(
        exact.rule(law, renderer, SCHEDULE)(x, t), truth, rtol=1e-8, atol=1e-8
    )
    torch.testing.assert_close(
        exact.train(law.support, renderer, SCHEDULE)(x, t), truth, rtol=1e-8, atol=1e-8
    )
    local = exact.marginals(law, renderer, SCHEDULE)
    torch.testing.assert_close(
        local.tables["log_prior"].exp(), Grammar.marginals(law), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4)])
def test_of_images_is_a_softmax_over_signals_of_any_shape(shape):
    images, x = normal(6, *shape), normal(3, *shape, seed=1)
    optimum = exact.of_images(images, SCHEDULE)
    for t in (20, 500):
        alpha_bar = SCHEDULE.alpha_bar[t].item()
        expected = brute_force(images, torch.full((6,), 1 / 6), x, alpha_bar)
        torch.testing.assert_close(optimum(x, t), expected)


def test_of_images_needs_an_image():
    for images in (torch.zeros(0, 1, 2, 2), torch.zeros(3)):
        with pytest.raises(ValueError, match=r"allowed: \[n ≥ 1, \*shape\]"):
            exact.of_images(images, SCHEDULE)


def test_pairs_is_the_softmax_over_the_maximum_entropy_law():
    grammar, renderer = QuarterSum(), Digits(16)
    strings, _ = grammar.split(100, 0)
    law = maximum_entropy(strings, 10, 2)
    images = renderer(law.strings).flatten(1).double()
    x = normal(3, *renderer.shape, seed=1)
    signal, spread = SCHEDULE.scales(400, x)
    away = -((x.flatten(1)[:, None] - signal.flatten() * images) ** 2).sum(-1) / 2
    posterior = (away / spread.flatten() ** 2 + law.probabilities.log()).softmax(1)
    found = exact.moments(strings, renderer, SCHEDULE, 2)(x, 400).flatten(1)
    torch.testing.assert_close(found, posterior @ images, atol=1e-9, rtol=0)


def test_further_references_stand_behind_the_three():
    grammar, renderer = Parity(4), Scalars(4)
    strings, _ = grammar.split(6, 0)
    found = exact.references(renderer, grammar, SCHEDULE, strings, further=("triples", "pairs"))
    assert list(found) == [*exact.NAMES, "triples", "pairs"]
    x = normal(2, 4, seed=2)
    torch.testing.assert_close(
        found["pairs"](x, 300), exact.moments(strings, renderer, SCHEDULE, 2)(x, 300)
    )
    with pytest.raises(ValueError, match="reference quadruples; allowed: pairs, triples"):
        exact.references(renderer, grammar, SCHEDULE, strings, further=("quadruples",))
