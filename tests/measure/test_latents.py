"""The ratio in a pipeline's latents: of which function, at which level, in which region."""

import copy
import math

import pytest
import torch
from torch import nn

from localbias.ldr import local_dependency_ratio, ratio_by_differences
from localbias.measure import (
    Prediction,
    Step,
    latent_products,
    latent_region,
    nearest,
    signal_of,
    watched,
)

pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[models]'")
from localbias.experiments import pretrained, tiny

KINDS = {"StableDiffusion3Pipeline": 4.5, "FluxPipeline": 3.5}
BOX = (16, 16, 48, 32)  # 4 × 2 latents, 2 × 1 of FLUX's tokens


@pytest.fixture(scope="module", params=KINDS)
def drawn(request):
    """A tiny pipeline, its guidance, the latents that it ends with, and its steps."""
    pipeline, guidance = pretrained.prepared(tiny.pipeline(request.param)), KINDS[request.param]
    options = dict(num_inference_steps=3, guidance_scale=guidance, height=64, width=64)
    end, steps = watched(
        pipeline, "A word", 0, max_sequence_length=16, output_type="latent", **options
    )
    return pipeline, guidance, end, steps


@torch.no_grad()
def test_the_sampler_follows_the_prediction_to_the_very_latents(drawn):
    """x' = x̂0 + (σ'/σ)(x − x̂0), Euler's step, and at σ' = 0 the end is x̂0 itself."""
    pipeline, guidance, end, steps = drawn
    ends = [*(step.latents for step in steps[1:]), end[None]]
    sigmas = [*(step.sigma for step in steps[1:]), 0]
    for step, sigma, latents in zip(steps, sigmas, ends):
        guess = Prediction(pipeline.transformer, step, guidance)(step.latents)
        follows = guess + sigma / step.sigma * (step.latents - guess)
        torch.testing.assert_close(follows, latents, atol=1e-5, rtol=1e-4)
    assert steps[0].sigma == 1 and steps[0].signal == 0


def test_the_ratio_is_that_of_differences_for_both_targets(drawn):
    pipeline, guidance, _, steps = drawn
    step, region = steps[1], latent_region(pipeline, BOX, 64, 64)
    found, velocity = latent_products(pipeline.transformer, step, region, guidance=guidance)
    f = Prediction(pipeline.transformer, step, guidance)

    def v(x):
        return (x - f(x)) / step.sigma

    x, few = step.latents, 40  # of the 224 numbers outside; the region's 32 are all taken
    torch.testing.assert_close(
        velocity.ratio, local_dependency_ratio(v, x, region), atol=1e-4, rtol=0
    )
    differences = ratio_by_differences(
        f, x, region, few, torch.Generator().manual_seed(0), step=1e-3, details=True
    )
    error = differences.standard_error + 2e-3
    assert 0.05 < found.ratio < 1 and (found.ratio - differences.ratio).abs() < 4 * error


def test_checkpoints_save_memory_and_change_nothing(drawn):
    pipeline, guidance, _, steps = drawn
    region = latent_region(pipeline, BOX, 64, 64)

    def moments():
        few = torch.Generator().manual_seed(0)
        return latent_products(pipeline.transformer, steps[1], region, 2, few, guidance)[0].moments

    found = moments()
    pipeline.transformer.disable_gradient_checkpointing()
    kept = moments()
    pipeline.transformer.enable_gradient_checkpointing()
    torch.testing.assert_close(found, kept, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_the_ratios_are_the_same_but_for_rounding(drawn):
    """At one x_t, and with FLUX's guidance as bfloat16 has it: 1,000 times 3.504 is 3504."""
    pipeline, guidance, _, steps = drawn
    step, region = steps[1], latent_region(pipeline, BOX, 64, 64)

    def cast(inputs, kind):
        return {
            name: one.to(kind) if torch.is_tensor(one) and one.is_floating_point() else one
            for name, one in inputs.items()
        }

    def both(kind):
        rough = Step(step.sigma, cast(cast(step.inputs, torch.bfloat16), kind))
        if "guidance" in rough.inputs:
            rough.inputs["guidance"] = torch.tensor([3.504])
        transformer = copy.deepcopy(pipeline.transformer).to(kind)
        few = torch.Generator().manual_seed(0)
        found = latent_products(transformer, rough, region, 8, few, guidance)
        assert not any(one.vanishing.any() for one in found)
        return torch.stack([one.ratio for one in found])

    torch.testing.assert_close(both(torch.bfloat16), both(torch.float32), atol=0.03, rtol=0)


def test_a_box_of_the_picture_is_the_same_box_of_the_latents(drawn):
    pipeline, *_ = drawn
    mask = latent_region(pipeline, BOX, 64, 32)
    if hasattr(pipeline, "_unpack_latents"):
        assert mask.shape == (2 * 4, 4 * 4) and mask.all(1).sum() == 2 == mask.any(1).sum()
        mask = pipeline._unpack_latents(mask[None].float(), 32, 64, 8)[0].bool()
    expected = torch.zeros(4, 4, 8, dtype=torch.bool)
    expected[:, 2:4, 2:6] = True
    assert torch.equal(mask, expected)
    one = latent_region(pipeline, (35, 17, 37, 21), 64, 32)  # the middle of one latent, (36, 20)
    assert one.sum() == 4


@pytest.mark.parametrize("box", [(0, 0, 64, 64), (0, 0, 3, 3), (30, 30, 20, 20)])
def test_a_box_without_latents_or_of_all_of_them_is_refused(box, drawn):
    with pytest.raises(ValueError, match=r"region=.*64 × 64 pixels"):
        latent_region(drawn[0], box, 64, 64)


class Fake(nn.Module):
    """A transformer of a velocity that is known, of the latents and of which half they are."""

    def __init__(self, velocity):
        super().__init__()
        self.velocity = velocity

    def forward(self, hidden_states, return_dict=True):
        return (self.velocity(hidden_states),)


def step_of(latents, sigma=0.5):
    return Step(sigma, {"hidden_states": latents})


def shares(transformer, region, latents=None, sigma=0.5, guidance=1.0):
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, *region.shape, generator=generator) if latents is None else latents
    products = latent_products(transformer, step_of(latents, sigma), region, guidance=guidance)
    return [one.ratio.item() for one in products]


def corner():
    region = torch.zeros(4, 8, 8, dtype=torch.bool)
    region[:, :4, :2] = True  # r = 32 of d = 256
    return region


def test_a_velocity_that_looks_at_its_own_place_has_ratio_one():
    assert shares(Fake(torch.tanh), corner()) == pytest.approx([1, 1])


def test_a_velocity_that_looks_at_the_mean_has_the_share_of_the_region():
    """J_v = 11ᵀ/d and J_x0 = I − σ J_v: ‖J_RR‖² = r(1 − 2σ/d + σ²r/d²), ‖J_R‖² = r(1 − 2σ/d + σ²/d)."""
    r, d, sigma = 32, 256, 0.5

    def mean(x):
        return x.mean((1, 2, 3), keepdim=True).expand_as(x)

    expected = (1 - 2 * sigma / d + sigma**2 * r / d**2) / (1 - 2 * sigma / d + sigma**2 / d)
    assert shares(Fake(mean), corner()) == pytest.approx([expected, r / d], abs=1e-5)
    # A picture that is the mean of everything: v = (x − mean)/σ, so that J_x0 = 11ᵀ/d.
    picture = Fake(lambda x: (x - mean(x)) / sigma)
    assert shares(picture, corner())[0] == pytest.approx(r / d, abs=1e-5)


def test_guidance_mixes_both_halves_as_the_sampler_does():
    """v = v_∅ + w (v_text − v_∅), with v_∅ = x and v_text the place opposite: J_v = (1 − w) I + w P."""
    w, sigma = 3.0, 0.5
    halves = Fake(lambda x: torch.cat([x[:1], x[1:].flip((2, 3))]))
    latents = torch.randn(1, 4, 8, 8).expand(2, -1, -1, -1)
    own, other = (1 - sigma * (1 - w)) ** 2, (sigma * w) ** 2
    expected = [own / (own + other), (1 - w) ** 2 / ((1 - w) ** 2 + w**2)]
    assert shares(halves, corner(), latents, sigma, w) == pytest.approx(expected, abs=1e-5)


def test_a_token_that_mixes_its_own_patch_alone_has_ratio_one_where_the_region_keeps_tokens_whole():
    """FLUX's tokens are 2 × 2 latents: half a token is no region of its own."""
    pipeline = tiny.pipeline("FluxPipeline")
    mixing = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    patch = Fake(lambda tokens: tokens @ mixing)
    assert shares(patch, latent_region(pipeline, BOX, 64, 64))[0] == pytest.approx(1)
    assert shares(patch, latent_region(pipeline, (16, 16, 24, 32), 64, 64))[0] < 0.9


def test_a_level_has_the_signal_for_its_noise():
    for sigma in (0.1, 0.5, 0.9):
        level = signal_of(sigma)
        assert level / math.sqrt(1 - level**2) == pytest.approx((1 - sigma) / sigma)
    steps = [step_of(torch.zeros(1, 2), sigma) for sigma in (1.0, 0.8, 0.6, 0.3)]
    assert nearest(steps, (0.9, 0.0, 0.91)) == [steps[0], steps[3]]


def test_what_rounding_leaves_of_a_picture_beside_the_identity_is_no_jacobian():
    """In bfloat16 x − σv does not vanish where v = x/σ: it is rounded."""
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for kind in (torch.float32, torch.bfloat16):
        found, velocity = latent_products(
            Fake(lambda x: x / 0.7 + 1e-9), step_of(latents.to(kind), 0.7), corner()
        )
        assert bool(found.vanishing) and not bool(velocity.vanishing)


def test_pipelines_that_call_otherwise_are_refused(drawn):
    pipeline, guidance, _, steps = drawn

    class Twice:
        transformer, scheduler = pipeline.transformer, pipeline.scheduler

        def __call__(self, *arguments, **options):
            self.transformer(**steps[0].inputs)
            return pipeline(*arguments, **options)

    options = dict(num_inference_steps=2, guidance_scale=guidance, height=64, width=64)
    with pytest.raises(ValueError, match="3 times in 2 steps"):
        watched(Twice(), "A word", 0, max_sequence_length=16, **options)
    assert not pipeline.transformer._forward_pre_hooks
    with pytest.raises(ValueError, match="latents of 3 pictures"):
        Prediction(pipeline.transformer, step_of(torch.zeros(3, 4, 8, 8)))
