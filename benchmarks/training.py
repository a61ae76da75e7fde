"""A step of training beside other libraries': processor time, memory, share of the ceiling.

`python benchmarks/training.py --help`; the README beside this file says what the tables compare.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import peers
import torch
from comparison import Comparison, command
from peers import BATCH, Task
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from localbias.render import to_pixels
from localbias.training import State, train

KINDS = {  # of operators, by a part of their name
    "convolutions": ("convolution",),
    "matrix products": ("aten::mm", "addmm", "bmm", "scaled_dot_product"),
    "copies": ("copy_", "cat"),
    "the optimizer and the average": ("adam", "lerp"),
}


def ours(task: Task) -> tuple[Callable[[], object], dict]:
    """`localbias.training.train`."""
    setup = task.setup
    config = setup.experiment.training
    state = State.fresh(setup.denoiser(), config)
    run = train(state, config, setup.draw, 0)

    def turn() -> object:
        return list(islice(run, task.steps))

    return turn, peers.about(turn, state.denoiser, task.steps)


def shares(task: Task) -> tuple[Callable[[], object], dict]:
    """Of the time of all operators of our step, how much goes to each kind."""
    turn, _ = ours(task)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        turn()
    found = dict.fromkeys([*KINDS, "all else"], 0.0)
    for event in profiled.key_averages():
        kind = next((k for k, parts in KINDS.items() if any(p in event.key for p in parts)), None)
        found[kind or "all else"] += event.self_cpu_time_total
    return turn, {kind: time / sum(found.values()) for kind, time in found.items()}


def plain(task: Task) -> tuple[Callable[[], object], dict]:
    """The same network in the loop that one writes first."""
    setup = task.setup
    config, schedule = setup.experiment.training, setup.schedule
    network, average = setup.denoiser().network, setup.denoiser().network
    optimizer = torch.optim.Adam(network.parameters(), lr=config.rate)
    levels = schedule.alpha_bar.float()

    def step() -> float:
        x0 = setup.draw(torch.default_generator, BATCH)
        t, noise = torch.randint(schedule.steps, (BATCH,)), torch.randn_like(x0)
        level = levels[t].view(-1, 1, 1, 1)
        loss = F.mse_loss(network(level.sqrt() * x0 + (1 - level).sqrt() * noise, t), noise)
        optimizer.zero_grad()
        loss.backward()
        if config.clip:
            nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.step()
        with torch.no_grad():
            for averaged, weight in zip(average.parameters(), network.parameters()):
                averaged.mul_(config.ema).add_(weight, alpha=1 - config.ema)
        return loss.item()

    return _repeated(step, network, task)


def library(task: Task) -> tuple[Callable[[], object], dict]:
    """denoising-diffusion-pytorch's Trainer, on a folder of our pictures as it asks for."""
    from denoising_diffusion_pytorch import GaussianDiffusion, Trainer
    from denoising_diffusion_pytorch import denoising_diffusion_pytorch as module
    from PIL import Image

    # Pictures are then read in its process, whose time is taken, and no bar is drawn.
    module.cpu_count = lambda: 0
    bar, module.tqdm = module.tqdm, lambda *given, **options: bar(*given, **options | _QUIET)
    folder = Path(tempfile.mkdtemp())
    for i, one in enumerate(to_pixels(task.setup.draw(torch.Generator().manual_seed(0), 100))):
        Image.fromarray(one[0].numpy()).save(folder / f"{i}.png")
    network, config = peers.library_unet(task), task.setup.experiment.training
    diffusion = GaussianDiffusion(
        network, image_size=task.setup.renderer.shape[-1], objective="pred_noise"
    )
    trainer = Trainer(
        diffusion,
        folder,
        train_batch_size=BATCH,
        train_lr=config.rate,
        ema_decay=config.ema,
        results_folder=folder / "results",
        save_and_sample_every=10**9,
        calculate_fid=False,
    )
    trainer.accelerator.print = lambda *said: None

    def turn() -> None:
        trainer.train_num_steps = trainer.step + task.steps
        trainer.train()

    return turn, peers.about(turn, network, task.steps)


_QUIET = {"disable": True}


def diffusers(task: Task, make: Callable[[Task], nn.Module]) -> tuple[Callable[[], object], dict]:
    """The loop of diffusers' example of unconditional training."""
    from diffusers import DDPMScheduler
    from diffusers.training_utils import EMAModel

    model, config = make(task), task.setup.experiment.training
    noise_of, scheduler = peers.noise_of(model), DDPMScheduler(1000)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.rate)
    average = EMAModel(model.parameters(), decay=config.ema)

    def step() -> float:
        x0 = task.setup.draw(torch.default_generator, BATCH)
        noise, t = torch.randn_like(x0), torch.randint(1000, (BATCH,))
        loss = F.mse_loss(noise_of(scheduler.add_noise(x0, noise, t), t), noise)
        loss.backward()
        if config.clip:
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad()
        average.step(model.parameters())
        return loss.item()

    return _repeated(step, model, task)


def _repeated(step: Callable, model: nn.Module, task: Task) -> tuple[Callable[[], object], dict]:
    def turn() -> object:
        return [step() for _ in range(task.steps)]

    return turn, peers.about(turn, model, task.steps)


CONTESTANTS = {
    "unet": {
        "localbias": ours,
        "the same network, a naive loop": plain,
        "denoising-diffusion-pytorch, Trainer": library,
        "diffusers, UNet2DModel": partial(diffusers, make=peers.diffusers_unet),
    },
    "dit": {
        "localbias": ours,
        "the same network, a naive loop": plain,
        "diffusers, DiT": partial(diffusers, make=partial(peers.diffusers_dit, matched=False)),
        "diffusers, DiT, parameters matched": partial(
            diffusers, make=partial(peers.diffusers_dit, matched=True)
        ),
    },
}
# Steps a turn: about half a second of the smaller networks, one step of the paper's.
STEPS = {"laptop": (3, 15), "paper": (1, 1), "smoke": (1, 1)}
TRAINING = Comparison("a step", CONTESTANTS, STEPS, shares=shares)

app = command(TRAINING, "A training step's time, memory and rate beside other libraries'.")

if __name__ == "__main__":
    app()
