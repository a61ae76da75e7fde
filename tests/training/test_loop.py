"""The training loop against closed forms, and checkpoints that resume it bit for bit."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from localbias import store
from localbias.diffusion import Denoiser, Schedule
from localbias.seeds import random_generator
from localbias.training import State, Training, auto_device, load_checkpoint, save_checkpoint, train

SHAPE = (3,)
PLAIN = Training(steps=12, batch=4, rate=0.05)
CONFIGS = {
    "plain": PLAIN,
    "average": replace(PLAIN, ema=0.8),
    "decay": replace(PLAIN, warmup=3, decay="linear"),
    "all": replace(PLAIN, ema=0.8, warmup=3, decay="linear", clip=0.1),
}


class Network(nn.Module):
    """Two layers and the time, with a parameter that is not trained and a buffer, as some networks have."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 5), nn.Linear(5, 3)
        self.fixed = nn.Parameter(torch.ones(5), requires_grad=False)
        self.register_buffer("scale", torch.tensor(0.01))

    def forward(self, x, t):
        return self.last(torch.tanh(self.first(x) + self.fixed * self.scale * t[:, None]))


def fresh(config, seed=0):
    torch.manual_seed(seed)
    return State.fresh(Denoiser(Network(), Schedule(steps=50)), config)


def draw(generator, n):
    return torch.randn(n, *SHAPE, generator=generator).sign()


def finish(state, config, seed=0):
    for state in train(state, config, draw, seed):
        pass
    return state


def after(config, steps):
    """The state after that many of the configuration's steps."""
    return next(state for state in train(fresh(config), config, draw, 0) if state.step == steps)


def everything(state):
    """All tensors of a state, by name."""
    tensors = {f"network {name}": tensor for name, tensor in state.denoiser.state_dict().items()}
    tensors |= {f"average {name}": tensor for name, tensor in state.average.state_dict().items()}
    for i, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer {i} {name}": tensor for name, tensor in moments.items()}
    return {name: tensor.clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("killed_at", [1, 7, 11])
@pytest.mark.parametrize("name", CONFIGS)
def test_killed_and_resumed_is_bit_equal_to_undisturbed(name, killed_at, tmp_path):
    config, path = CONFIGS[name], tmp_path / "run.safetensors"
    undisturbed = finish(fresh(config), config)
    save_checkpoint(path, after(config, killed_at), "key", {"loss": torch.arange(3.0)})

    resumed = fresh(
        config, seed=1
    )  # other initial weights: all that counts must come from the file
    arrays, _ = load_checkpoint(path, resumed, "key")
    assert (
        resumed.step == killed_at
        and arrays.keys() == {"loss"}
        and torch.equal(arrays["loss"], torch.arange(3.0))
    )
    finish(resumed, config)

    expected, found = everything(undisturbed), everything(resumed)
    assert (
        expected.keys() == found.keys()
        and len([key for key in found if key.startswith("optimizer")]) == 4 * 3
    )
    for key in expected:
        assert torch.equal(expected[key], found[key]), key
    assert (
        resumed.loss == undisturbed.loss
        and math.isfinite(resumed.loss)
        and resumed.step == config.steps
    )


def test_a_restored_state_is_the_saved_one(tmp_path):
    config, path = CONFIGS["all"], tmp_path / "run.safetensors"
    saved, restored = after(config, 5), fresh(config, seed=1)
    save_checkpoint(path, saved, "key", {}, ["noted"])
    assert load_checkpoint(path, restored, "key") == ({}, ["noted"])
    expected, found = everything(saved), everything(restored)
    assert expected.keys() == found.keys() and all(
        torch.equal(expected[key], found[key]) for key in expected
    )
    assert (restored.step, restored.loss) == (saved.step, saved.loss)


def test_a_finished_training_yields_nothing_more():
    state = finish(fresh(PLAIN), PLAIN)
    assert list(train(state, PLAIN, draw, 0)) == []


def seen_batches(state, seed):
    """What is drawn and what the network is given at each remaining step."""
    seen = []
    state.denoiser.network.register_forward_pre_hook(
        lambda _, inputs: seen.append([x.clone() for x in inputs])
    )
    finish(state, PLAIN, seed)
    return seen


def test_the_batch_of_a_step_depends_on_seed_and_step_alone():
    whole = seen_batches(fresh(PLAIN), 0)
    late = fresh(PLAIN)
    late.step = 8
    torch.rand(17)  # nor does the global generator matter
    for (x, t), (x_late, t_late) in zip(whole[8:], seen_batches(late, 0), strict=True):
        assert torch.equal(x, x_late) and torch.equal(t, t_late)
    other = seen_batches(fresh(PLAIN), 1)
    assert not any(torch.equal(x, y) for (x, _), (y, _) in zip(whole, other))
    assert len({tuple(x.flatten().tolist()) for x, _ in whole}) == PLAIN.steps


def test_every_noise_level_is_drawn_alike():
    config = replace(PLAIN, steps=1, batch=20_000)
    state, seen = fresh(config), []
    state.denoiser.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    finish(state, config)
    counts = torch.bincount(seen[0], minlength=50)
    assert len(counts) == 50 and ((counts - 400).abs() < 5 * 400**0.5).all()


def test_adam_is_the_plain_one_and_the_loss_the_noise_error():
    """The same loop by hand with torch's unfused Adam, warm-up, decay and clipping written out."""
    config = Training(steps=9, batch=6, rate=0.02, warmup=2, decay="linear", clip=0.5)
    state = fresh(config)
    by_hand = fresh(config).denoiser
    adam = torch.optim.Adam(by_hand.parameters(), fused=False, foreach=False)
    clipped = 0
    for state in train(state, config, draw, 3):
        step = state.step - 1
        generator = random_generator("batch", 3, step)
        x0 = draw(generator, 6)
        t = torch.randint(50, (6,), generator=generator)
        noise = torch.randn(6, 3, generator=generator)
        alpha_bar = by_hand.schedule.alpha_bar.float()[t, None]
        predicted = by_hand.network(alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise, t)
        loss = ((predicted - noise) ** 2).sum() / 18
        gradients = torch.autograd.grad(loss, [p for p in by_hand.parameters() if p.requires_grad])
        norm = sum(g.square().sum() for g in gradients).sqrt()
        clipped += bool(norm > 0.5)
        for p, g in zip((p for p in by_hand.parameters() if p.requires_grad), gradients):
            p.grad = g * min(1, 0.5 / norm)
        adam.param_groups[0]["lr"] = 0.02 * min(1, (step + 1) / 3) * (1 - step / 9)
        adam.step()
        assert state.loss == pytest.approx(loss.item(), rel=1e-4)
    assert 0 < clipped
    for ours, theirs in zip(state.denoiser.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_denoiser_that_reads_v_trains_on_the_same_noise_loss():
    """With an output of zero the noise that is read as v is √(1−ᾱ) x_t."""
    config = replace(PLAIN, steps=1, batch=500)
    state = fresh(config)
    state.denoiser.reads = "v"
    nn.init.zeros_(state.denoiser.network.last.weight)
    nn.init.zeros_(state.denoiser.network.last.bias)
    generator = random_generator("batch", 0, 0)
    x0 = draw(generator, 500)
    t = torch.randint(50, (500,), generator=generator)
    noise = torch.randn(500, 3, generator=generator)
    c, s = state.denoiser.schedule.scales(t, x0)
    expected = (noise - s * (c * x0 + s * noise)).square().mean().item()
    assert finish(state, config).loss == pytest.approx(expected, rel=1e-4)


def test_the_average_is_the_weights_own():
    """As a weighted sum of all weights so far; its decay rises to `ema` as n/(10 + n)."""
    config = replace(PLAIN, steps=40, ema=0.6)
    state = fresh(config)
    history = [state.denoiser.network.first.weight.detach().double().clone()]
    for state in train(state, config, draw, 0):
        history.append(state.denoiser.network.first.weight.detach().double().clone())
    decays = [min(0.6, n / (10 + n)) for n in range(1, 41)]
    weights = [math.prod(decays)] + [
        (1 - d) * math.prod(decays[i + 1 :]) for i, d in enumerate(decays)
    ]
    assert sum(weights) == pytest.approx(1) and decays[0] < 0.6 == decays[-1]
    expected = sum(w * x for w, x in zip(weights, history))
    assert torch.allclose(state.average.network.first.weight.double(), expected, atol=1e-6)
    assert not any(p.requires_grad for p in state.average.parameters())
    assert state.average is not state.denoiser


def test_without_an_average_the_network_is_its_own():
    state = fresh(PLAIN)
    assert state.average is state.denoiser


def test_what_is_not_trained_stays():
    config = CONFIGS["all"]
    state = finish(fresh(config), config)
    for denoiser in (state.denoiser, state.average):
        assert torch.equal(
            denoiser.network.fixed, torch.ones(5)
        ) and denoiser.network.scale == torch.tensor(0.01)


def test_rates_rise_and_fall():
    assert [Training(steps=10, rate=3.0).rate_at(step) for step in range(10)] == [3.0] * 10
    warm = Training(steps=10, rate=3.0, warmup=2)
    assert [warm.rate_at(step) for step in range(4)] == pytest.approx([1.0, 2.0, 3.0, 3.0])
    falling = Training(steps=10, rate=3.0, decay="linear")
    expected = [3.0 * (10 - step) / 10 for step in range(11)]
    assert [falling.rate_at(step) for step in range(11)] == pytest.approx(expected)
    both = Training(steps=10, rate=3.0, warmup=4, decay="linear")
    assert [both.rate_at(step) for step in (0, 4, 9)] == pytest.approx([0.6, 3 * 0.6, 0.3])


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    def poisoned(generator, n):
        return draw(generator, n) * (torch.nan if next(calls) == 3 else 1)

    calls, config = iter(range(12)), PLAIN
    state = fresh(config)
    with pytest.raises(FloatingPointError, match=r"nan at step 4.*rate=0\.05"):
        for state in train(state, config, poisoned, 0):
            pass


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(steps=0), "steps=0"),
        (dict(batch=0), "batch=0"),
        (dict(rate=0.0), r"rate=0\.0"),
        (dict(rate=-1.0), "rate=-1"),
        (dict(rate=math.nan), "rate=nan"),
        (dict(warmup=13), "warmup=13"),
        (dict(warmup=-1), "warmup=-1"),
        (dict(decay="cosine"), "decay='cosine'.*constant, linear"),
        (dict(ema=1.0), r"ema=1\.0"),
        (dict(ema=-0.1), "ema=-0.1"),
        (dict(clip=0.0), r"clip=0\.0"),
    ],
)
def test_bad_training(options, message):
    with pytest.raises(ValueError, match=message):
        replace(PLAIN, **options)


def checkpoint(path, config=CONFIGS["all"]):
    save_checkpoint(path, after(config, 3), "mine", {"loss": torch.tensor([1.0, torch.nan])})
    return path


def rewritten(path, change):
    """The checkpoint with other tensors, correctly signed."""
    arrays, notes = store.load_checkpoint(path, "mine")
    change(arrays)
    store.save_checkpoint(path, "mine", arrays, notes)


def test_what_was_measured_may_hold_nan(tmp_path):
    arrays, _ = load_checkpoint(checkpoint(tmp_path / "run"), fresh(CONFIGS["all"]), "mine")
    assert arrays["loss"].isnan().tolist() == [False, True]


@pytest.mark.parametrize(
    "part",
    [
        "network.network.first.weight",
        "average.network.last.bias",
        "optimizer.1.exp_avg_sq",
    ],
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_in_a_checkpoint_names_tensor_and_file(part, value, tmp_path):
    path = checkpoint(tmp_path / "run.safetensors")

    def spoil(arrays):
        arrays[part].reshape(-1)[0] = value

    rewritten(path, spoil)
    with pytest.raises(ValueError, match=f"run.safetensors.*{part}.*NaN or infinity"):
        load_checkpoint(path, fresh(CONFIGS["all"]), "mine")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("network.network.first.weight"),
        lambda arrays: arrays.pop("average.network.last.bias"),
        lambda arrays: arrays.pop("optimizer.1.exp_avg_sq"),
        lambda arrays: arrays.update({"optimizer.99.step": np.ones(())}),
        lambda arrays: [arrays.pop(name) for name in list(arrays) if name.startswith("optimizer")],
        lambda arrays: arrays.update({"network.network.first.weight": np.ones((1, 1), np.float32)}),
    ],
)
def test_tensors_that_do_not_fit_the_network_are_refused(change, tmp_path):
    path = checkpoint(tmp_path / "run.safetensors")
    rewritten(path, change)
    with pytest.raises(ValueError, match="run.safetensors does not fit the network"):
        load_checkpoint(path, fresh(CONFIGS["all"]), "mine")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused_by_name(share, tmp_path):
    path = checkpoint(tmp_path / "run.safetensors")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    state = fresh(CONFIGS["all"])
    before = everything(state)
    with pytest.raises(ValueError, match="run.safetensors is damaged"):
        load_checkpoint(path, state, "mine")
    assert (
        all(torch.equal(before[key], tensor) for key, tensor in everything(state).items())
        and state.step == 0
    )


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = checkpoint(tmp_path / "run.safetensors")
    content = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        checkpoint(path)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_random_generators_are_told_apart_by_their_key():
    keys = [("batch", 0, 0), ("batch", 0, 1), ("batch", 1, 0), ("sample", 0), ("batch", 0)]
    first = [torch.rand((), generator=random_generator(*key)).item() for key in keys]
    assert len(set(first)) == len(keys)
    assert first == [torch.rand((), generator=random_generator(*key)).item() for key in keys]


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert auto_device() == auto_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="'cuda'.*auto, cpu .there is no CUDA GPU here"):
        auto_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert auto_device() == auto_device("cuda") == torch.device("cuda")
    assert auto_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="'tpu'.*auto, cpu, cuda$"):
        auto_device("tpu")
