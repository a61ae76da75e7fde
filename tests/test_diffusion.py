"""Schedules, noising, conversion and samplers against diffusers, closed forms and exact denoisers."""

from itertools import permutations, product

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from localbias import diffusion
from localbias.diffusion import TARGETS, Denoiser, Reverse, Schedule, ddim, device_of, last, nearest


class Linear:
    """A fixed map of the signal and the time, told to be a prediction of `target`."""

    def __init__(self, size, target="noise", dtype=torch.float64):
        self.matrix = (
            torch.randn(size, size, generator=torch.Generator().manual_seed(7), dtype=dtype)
            / size**0.5
        )
        self.target = target

    def __call__(self, x, t):
        return x @ self.matrix + 0.1 * torch.sin(torch.as_tensor(t, dtype=x.dtype)).reshape(-1, 1)


class Exact:
    """E[x0 | x_t], given as a function of √ᾱ, 1−ᾱ and x_t."""

    target = "x0"

    def __init__(self, schedule, mean):
        self.schedule, self.mean = schedule, mean

    def __call__(self, x, t):
        signal, spread = self.schedule.scales(t, x)
        return self.mean(signal, spread**2, x)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("steps", [2, 10, 1000])
@pytest.mark.parametrize("kind, name", [("linear", "linear"), ("cosine", "squaredcos_cap_v2")])
def test_schedules_are_those_of_diffusers(kind, name, steps):
    schedule = Schedule(kind, steps)
    expected = DDPMScheduler(steps, beta_schedule=name).alphas_cumprod.double()
    assert schedule.alpha_bar.dtype == torch.float64 and schedule.alpha_bar.shape == (steps,)
    # the library computes in float32, so its 1 − β is rounded at 6e-8 in each factor
    assert torch.allclose(schedule.alpha_bar, expected, rtol=1e-4, atol=1e-7)


def test_linear_schedule_with_other_ends():
    expected = DDPMScheduler(50, beta_start=0.001, beta_end=0.2).alphas_cumprod.double()
    assert torch.allclose(Schedule("linear", 50, 0.001, 0.2).alpha_bar, expected, rtol=1e-4)


@pytest.mark.parametrize("steps", [10, 1000])
def test_sigmoid_schedule_is_that_of_denoising_diffusion_pytorch(steps):
    from denoising_diffusion_pytorch.denoising_diffusion_pytorch import sigmoid_beta_schedule

    expected = (1 - sigmoid_beta_schedule(steps)).cumprod(0)
    # its end points are float32
    assert torch.allclose(Schedule("sigmoid", steps).alpha_bar, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", diffusion.SCHEDULES)
def test_alpha_bar_falls_inside_0_and_1(kind):
    alpha_bar = Schedule(kind).alpha_bar
    assert (alpha_bar.diff() < 0).all() and 0 < alpha_bar[-1] < 1e-4 and 0.999 < alpha_bar[0] < 1


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(kind="quadratic"), "'quadratic'.*linear, cosine, sigmoid"),
        (dict(steps=1), "steps=1"),
        (dict(beta_start=0.0), r"β from 0\.0"),
        (dict(beta_start=0.1), r"β from 0\.1 to 0\.02"),
        (dict(beta_end=1.0), r"to 1\.0"),
        (dict(steps=20.0), r"schedule\.steps=20\.0; allowed: a value of the type int"),
        (dict(steps=True), "schedule.steps=True"),
        (dict(beta_start="small"), "beta_start='small'"),
        (dict(steps=20_000), r"steps=20000.*signal √ᾱ of the last step is .*e-\d+; allowed: from"),
        (dict(beta_start=1e-4, beta_end=0.999), "signal √ᾱ of the last step is 0.0e"),
        (dict(beta_start=1e-13, steps=10), r"noise √\(1−ᾱ\) of the first step is 3\.2e-07"),
    ],
)
def test_bad_schedules(options, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**options)


def test_nearest_states_whatever_their_order():
    schedule = Schedule()
    states = [Reverse(t, torch.zeros(1), torch.zeros(1)) for t in (0, 200, 400, 999)]
    levels = [schedule.alpha_bar[t].sqrt().item() + 1e-3 for t in (400, 0)]
    for order in (states, states[::-1]):
        assert [one.t for one in nearest(order, schedule, levels)] == [400, 0]
    assert nearest([], schedule, levels) == [None, None]


def test_device_of_a_network_and_of_what_has_no_parameters():
    network = torch.nn.Linear(1, 1, device="meta")
    assert device_of(Denoiser(network, Schedule())).type == "meta"
    assert device_of(lambda x, t: x).type == "cpu"


@pytest.mark.parametrize("kind", diffusion.SCHEDULES)
def test_index_is_the_nearest_step(kind):
    schedule = Schedule(kind, 200)
    levels = [alpha_bar**0.5 for alpha_bar in schedule.alpha_bar.tolist()]
    for wanted in (1e-6, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999999):
        assert schedule.index(sqrt_alpha_bar=wanted) == min(
            range(200), key=lambda t: abs(levels[t] - wanted)
        )


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, float("nan")])
def test_index_outside_the_levels(level):
    with pytest.raises(ValueError, match=f"sqrt_alpha_bar={level}"):
        Schedule().index(sqrt_alpha_bar=level)


def test_noising_is_that_of_diffusers():
    x0, noise = (
        normal(4, 1, 3, 3, dtype=torch.float32),
        normal(4, 1, 3, 3, seed=1, dtype=torch.float32),
    )
    t = torch.tensor([0, 10, 500, 999])
    expected = DDPMScheduler(1000).add_noise(x0, noise, t)
    assert torch.allclose(Schedule().add_noise(x0, noise, t), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_scalar_time_is_the_time_of_all(dtype):
    schedule, x0, noise = (
        Schedule(),
        normal(3, 2, 4, dtype=dtype),
        normal(3, 2, 4, seed=1, dtype=dtype),
    )
    all_at = torch.full((3,), 300)
    assert torch.equal(schedule.add_noise(x0, noise, 300), schedule.add_noise(x0, noise, all_at))
    for t in (300, torch.tensor(300)):
        assert torch.equal(
            schedule.convert(noise, x0, t, "v", "x0"),
            schedule.convert(noise, x0, all_at, "v", "x0"),
        )
    assert schedule.add_noise(x0, noise, 300).dtype == dtype


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-3), (torch.float64, 1e-12)])
@pytest.mark.parametrize("source, target", list(permutations(TARGETS, 2)))
def test_conversion(source, target, dtype, tolerance):
    """From the definitions: with x0 and ε known, so are x_t and v; each prediction becomes each other one."""
    schedule = Schedule()
    x0, noise = normal(4, 2, 3, dtype=dtype), normal(4, 2, 3, seed=1, dtype=dtype)
    t = torch.tensor([0, 200, 600, 999])
    alpha_bar = schedule.alpha_bar[t].reshape(-1, 1, 1).to(dtype)
    x_t = alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
    true = {"noise": noise, "x0": x0, "v": alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * x0}
    found = schedule.convert(true[source], x_t, t, source, target)
    assert found.dtype == dtype
    assert torch.allclose(found, true[target], atol=tolerance, rtol=tolerance)

    wrong = normal(
        4, 2, 3, seed=2, dtype=dtype
    )  # a prediction need not be true to be converted and back
    there = schedule.convert(wrong, x_t, t, source, target)
    assert torch.allclose(
        schedule.convert(there, x_t, t, target, source), wrong, atol=tolerance, rtol=tolerance
    )


def test_conversion_to_itself_changes_nothing():
    x = normal(2, 3)
    for name in TARGETS:
        assert torch.equal(Schedule().convert(x, normal(2, 3, seed=1), 5, name, name), x)


@pytest.mark.parametrize("source, target", [("score", "x0"), ("x0", "score"), ("score", "score")])
def test_conversion_of_an_unknown_target(source, target):
    with pytest.raises(ValueError, match="'score'.*noise, x0, v"):
        Schedule().convert(normal(1, 2), normal(1, 2), 0, source, target)


@pytest.mark.parametrize("source, target", list(product(TARGETS, repeat=2)))
def test_conversion_is_affine(source, target):
    """target = slope·source + shift·x_t, so that the Jacobian of one prediction is shift·I + slope·J of the other."""
    schedule, x_t, t, denoiser = (
        Schedule(),
        normal(4, 3),
        torch.tensor([0, 200, 600, 999]),
        Linear(3, source),
    )
    slope, shift = schedule.affine(t, source, target)
    assert slope.shape == shift.shape == (4,) and slope.dtype == shift.dtype == torch.float64
    b, a = slope[:, None], shift[:, None]
    converted = schedule.convert(denoiser(x_t, t), x_t, t, source, target)
    assert torch.allclose(converted, a * x_t + b * denoiser(x_t, t), rtol=1e-12, atol=0)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: schedule.predict(denoiser, x, t, target).sum(0), x_t
    )
    expected = a[:, None] * torch.eye(3) + b[:, None] * denoiser.matrix.T  # [B, outputs, inputs]
    assert torch.allclose(jacobian.transpose(0, 1), expected, rtol=1e-12, atol=1e-12)


def test_affine_of_one_step_and_of_the_same_target():
    for t in (5, torch.tensor(5)):
        assert all(part.shape == () for part in Schedule().affine(t, "noise", "v"))
    for name in TARGETS:
        assert Schedule().affine(5, name, name) == (1, 0)


@pytest.mark.parametrize("source, target", [("score", "x0"), ("x0", "score"), ("score", "score")])
def test_affine_of_an_unknown_target(source, target):
    with pytest.raises(ValueError, match="'score'.*noise, x0, v"):
        Schedule().affine(0, source, target)


@pytest.mark.parametrize("reads, target", [("v", "noise"), ("x0", "v"), ("noise", "noise")])
def test_denoiser_reads_one_quantity_and_hands_on_another(reads, target):
    schedule, x_t, output = Schedule(), normal(3, 4), normal(3, 4, seed=1)
    seen = []

    class Network(torch.nn.Module):
        def forward(self, x, t):
            seen.append(t)
            return output

    denoiser = Denoiser(Network(), schedule, reads, target)
    t = torch.tensor([3, 500, 999])
    assert denoiser.target == target
    assert torch.equal(denoiser(x_t, t), schedule.convert(output, x_t, t, reads, target))
    denoiser(x_t, 7)
    assert torch.equal(
        seen[-1], torch.tensor([7, 7, 7])
    )  # networks are always given one time a sample


def test_noise_loss_is_alpha_bar_times_v_loss():
    """‖ε − ε̂‖² = ᾱ ‖v − v̂‖², so that reading the output as v leaves the loss what it is."""
    schedule, x0, noise, t = (
        Schedule(),
        normal(3, 5),
        normal(3, 5, seed=1),
        torch.tensor([3, 500, 999]),
    )
    output = normal(3, 5, seed=2)
    x_t = schedule.add_noise(x0, noise, t)
    v = schedule.convert(noise, x_t, t, "noise", "v")
    predicted = schedule.convert(output, x_t, t, "v", "noise")
    left = (noise - predicted).square().sum(1)
    assert torch.allclose(left, schedule.alpha_bar[t] * (v - output).square().sum(1), rtol=1e-9)


@pytest.mark.parametrize("options", [dict(reads="score"), dict(target="score")])
def test_denoiser_of_an_unknown_target(options):
    with pytest.raises(ValueError, match="'score'.*noise, x0, v"):
        Denoiser(torch.nn.Identity(), Schedule(), **options)


def test_steps_visited_are_distinct_even_and_reach_both_ends():
    lazy = Linear(1)
    for total in (2, 7, 40):
        for steps in range(2, total + 1):
            t = [state.t for state in ddim(lazy, Schedule(steps=total), normal(1, 1), steps)]
            gaps = [a - b for a, b in zip(t, t[1:])]
            assert t[0] == total - 1 and t[-1] == 0 and len(t) == steps
            assert min(gaps) >= 1 and max(gaps) - min(gaps) <= 1


def library_chain(kind, schedule, times, **options):
    """The library's scheduler for the coarser chain that visits `times` only, in float64.

    Its own choice of fewer steps jumps by T // steps from each of them, which misses the next one.
    """
    n = len(times)
    chain = kind(n, timestep_spacing="leading", **options)
    chain.set_timesteps(n)
    chain.alphas_cumprod = schedule.alpha_bar[times].flip(0)
    chain.one = chain.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    return chain


PREDICTION = {"noise": "epsilon", "x0": "sample", "v": "v_prediction"}


@pytest.mark.parametrize("kind", diffusion.SCHEDULES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "steps, eta, clamp", [(None, 0.0, None), (7, 0.0, 0.8), (7, 0.4, None), (7, 1.0, 0.8)]
)
def test_ddim_step_by_step_as_in_diffusers(kind, target, steps, eta, clamp):
    schedule, denoiser, x = Schedule(kind, 40), Linear(3, target), normal(5, 3)
    states = list(ddim(denoiser, schedule, x, steps, eta, clamp, torch.Generator().manual_seed(1)))
    times = [state.t for state in states]
    chain = library_chain(
        DDIMScheduler,
        schedule,
        times,
        prediction_type=PREDICTION[target],
        clip_sample=clamp is not None,
        clip_sample_range=clamp or 1.0,
    )
    generator = torch.Generator().manual_seed(1)
    for state, step in zip(states, chain.timesteps, strict=True):
        assert torch.allclose(state.x_t, x, rtol=1e-8, atol=1e-10)
        noise = (
            torch.randn(x.shape, generator=generator, dtype=x.dtype)
            if eta and state.t
            else torch.zeros_like(x)
        )
        out = chain.step(
            denoiser(x, state.t), step, x, eta, use_clipped_model_output=True, variance_noise=noise
        )
        assert torch.allclose(state.x0, out.pred_original_sample, rtol=1e-8, atol=1e-10)
        x = out.prev_sample
    assert torch.allclose(states[-1].x0, x, rtol=1e-8, atol=1e-10)  # the last x̂0 is the sample


@pytest.mark.parametrize("steps, clamp", [(None, None), (None, 0.8), (7, None)])
def test_ancestral_step_by_step_as_in_diffusers(steps, clamp):
    schedule, denoiser, x = Schedule("cosine", 40), Linear(3), normal(5, 3)
    states = list(ddim(denoiser, schedule, x, steps, 1.0, clamp, torch.Generator().manual_seed(1)))
    times = [state.t for state in states]
    chain = library_chain(
        DDPMScheduler,
        schedule,
        times,
        clip_sample=clamp is not None,
        clip_sample_range=clamp or 1.0,
    )
    generator = torch.Generator().manual_seed(1)  # the library draws as we do, one normal a step
    for state, step in zip(states, chain.timesteps, strict=True):
        assert torch.allclose(state.x_t, x, rtol=1e-8, atol=1e-10)
        x = chain.step(denoiser(x, state.t), step, x, generator).prev_sample
    assert torch.allclose(states[-1].x0, x, rtol=1e-8, atol=1e-10)


def test_samplers_keep_float32_and_end_in_the_last_x0():
    x, denoiser = normal(4, 3, dtype=torch.float32), Linear(3, dtype=torch.float32)
    states = list(
        ddim(denoiser, Schedule(steps=20), x, 5, 1.0, 1.0, torch.Generator().manual_seed(0))
    )
    assert {part.dtype for state in states for part in (state.x_t, state.x0)} == {torch.float32}
    assert torch.equal(states[0].x_t, x)
    assert max(state.x0.abs().max() for state in states) <= 1
    assert last(iter(states)) is states[-1].x0


def test_only_the_ancestral_sampler_draws_noise():
    def sample(eta, seed):
        generator = torch.Generator().manual_seed(seed)
        return last(ddim(Linear(3), Schedule(steps=20), normal(4, 3), eta=eta, generator=generator))

    assert torch.equal(sample(0.0, 0), sample(0.0, 1))
    assert torch.equal(sample(1.0, 0), sample(1.0, 0)) and not torch.allclose(
        sample(1.0, 0), sample(1.0, 1)
    )


@pytest.mark.parametrize("scale", [0.3, 2.0])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_exact_denoiser_of_a_gaussian_gives_its_variance(scale, eta):
    """The sampler is linear here: its variance is computed by hand, meets the sampled one, and is near the data's."""
    schedule, n = Schedule(), 20_000
    denoiser = Exact(schedule, lambda c, var, x: c * scale**2 / (c**2 * scale**2 + var) * x)
    sample = last(
        ddim(denoiser, schedule, normal(n, 1), None, eta, None, torch.Generator().manual_seed(1))
    )
    alpha_bar = schedule.alpha_bar.tolist()
    variance = 1.0
    for t in range(999, -1, -1):
        now, then = alpha_bar[t], alpha_bar[t - 1] if t else 1.0
        x0 = now**0.5 * scale**2 / (now * scale**2 + 1 - now)
        sigma2 = eta * (1 - then) / (1 - now) * (1 - now / then)
        noise = (1 - now**0.5 * x0) / (1 - now) ** 0.5
        variance = (then**0.5 * x0 + (1 - then - sigma2) ** 0.5 * noise) ** 2 * variance + sigma2
    assert abs(sample.var().item() / variance - 1) < 4 * (2 / n) ** 0.5
    assert abs(sample.mean().item()) < 4 * (variance / n) ** 0.5
    assert variance == pytest.approx(scale**2, rel=0.05)


@pytest.mark.parametrize("eta, steps", [(0.0, None), (1.0, None), (1.0, 100)])
def test_exact_denoiser_of_two_points_gives_their_proportions(eta, steps):
    """x0 = +1 with probability .7, else −1: E[x0 | x_t] = tanh(√ᾱ x_t/(1−ᾱ) + ½ log(.7/.3))."""
    schedule, n, share = Schedule(), 10_000, 0.7
    lean = torch.tensor(share / (1 - share)).log() / 2
    denoiser = Exact(schedule, lambda c, var, x: torch.tanh(c * x / var + lean))
    sample = last(
        ddim(denoiser, schedule, normal(n, 1), steps, eta, None, torch.Generator().manual_seed(1))
    )
    assert (sample.abs() > 0.99).all()
    assert abs((sample > 0).double().mean().item() - share) < 4 * (share * (1 - share) / n) ** 0.5


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(steps=1), "steps=1.*2 to 20"),
        (dict(steps=21), "steps=21.*2 to 20"),
        (dict(eta=-0.1), r"eta=-0\.1"),
        (dict(eta=1.1), r"eta=1\.1"),
        (dict(steps=5.0), r"steps=5\.0"),
        (dict(clamp=-1), "clamp=-1.*None"),
        (dict(clamp=0.0), r"clamp=0\.0"),
    ],
)
def test_bad_sampling(options, message):
    with pytest.raises(ValueError, match=message):
        last(ddim(Linear(3), Schedule(steps=20), normal(1, 3), **options))


def test_predict_converts_what_the_denoiser_says():
    schedule, x, t = Schedule(), normal(3, 3), torch.tensor([1, 400, 999])
    for target in TARGETS:
        denoiser = Linear(3, target)
        assert torch.equal(
            schedule.predict(denoiser, x, t, "x0"),
            schedule.convert(denoiser(x, t), x, t, target, "x0"),
        )


@pytest.mark.parametrize("t", [-1, 50, 3.0, True, torch.tensor([0, 50]), torch.tensor([-1]), 1j])
def test_what_is_no_step_is_refused(t):
    schedule, x = Schedule(steps=50), normal(2, 3)
    for use in (
        lambda: schedule.add_noise(x, x, t),
        lambda: schedule.convert(x, x, t, "noise", "x0"),
        lambda: schedule.affine(t, "noise", "x0"),
    ):
        with pytest.raises(ValueError, match="steps t, .*; allowed: whole numbers from 0 to 49"):
            use()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_steps_of_any_whole_type_are_indices(dtype):
    """A uint8 tensor would be a mask."""
    schedule, x0, noise = Schedule(steps=50), normal(2, 3), normal(2, 3, seed=1)
    found = schedule.add_noise(x0, noise, torch.tensor([1, 49], dtype=dtype))
    one_by_one = [
        schedule.add_noise(x0[i : i + 1], noise[i : i + 1], t) for i, t in ((0, 1), (1, 49))
    ]
    assert torch.equal(found, torch.cat(one_by_one))
    affine = schedule.affine(torch.tensor([1, 49], dtype=dtype), "v", "x0")
    assert torch.equal(affine[1], schedule.alpha_bar[[1, 49]].sqrt())


def test_the_large_variance_is_beta_of_the_step_between_visited_ones():
    schedule, zero = Schedule("linear", 10, 0.01, 0.3), lambda x, t: torch.zeros_like(x)
    zero.target = "x0"
    x_T = torch.zeros(200_000, 1)
    for variance in ("small", "large"):
        generator = torch.Generator().manual_seed(0)
        states = list(ddim(zero, schedule, x_T, 2, 1.0, None, generator, variance))
        now, then = schedule.alpha_bar[9], schedule.alpha_bar[0]
        beta = 1 - now / then
        wanted = beta if variance == "large" else beta * (1 - then) / (1 - now)
        assert states[-1].x_t.var().item() == pytest.approx(wanted.item(), rel=0.02)
    with pytest.raises(
        ValueError, match="variance='large', eta=0.0; allowed: small, or large with"
    ):
        next(ddim(zero, schedule, x_T, variance="large"))
    with pytest.raises(ValueError, match="variance='other'"):
        next(ddim(zero, schedule, x_T, eta=1.0, variance="other"))
