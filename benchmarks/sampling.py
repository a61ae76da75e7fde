"""Ancestral sampling of 1,000 steps beside other libraries': processor time, memory, rate.

`python benchmarks/sampling.py --help`; the README beside this file says what the tables compare.
"""

from collections.abc import Callable
from functools import partial
from itertools import cycle

import peers
import torch
from comparison import Comparison, command
from peers import BATCH, Task
from torch import Tensor, nn

from localbias.experiments import Sampling

STEPS = 1000


def noise(task: Task) -> Tensor:
    return torch.randn(BATCH, *task.setup.renderer.shape)


def ours(task: Task) -> tuple[Callable[[], object], dict]:
    """`Setup.reverse`, which is `diffusion.ddim` with η = 1."""
    setup = task.setup
    denoiser = setup.denoiser().eval()
    how = Sampling(samples=BATCH, steps=STEPS, eta=1.0)
    states = (state for _ in iter(int, 1) for state in setup.reverse(denoiser, how=how))
    return _turns(lambda: next(states), denoiser, task)


@torch.no_grad()
def plain(task: Task) -> tuple[Callable[[], object], dict]:
    """Algorithm 2 of Ho et al. (2020) as it is written, on the same network."""
    network = task.setup.denoiser().network.eval()
    bars = task.setup.schedule.alpha_bar.float()
    alphas = bars / torch.cat([torch.ones(1), bars[:-1]])
    state, times = [noise(task)], cycle(range(STEPS - 1, 0, -1))

    @torch.no_grad()
    def step() -> None:
        t, x = next(times), state[0]
        predicted = network(x, torch.full((BATCH,), t))
        mean = x - (1 - alphas[t]) / (1 - bars[t]).sqrt() * predicted
        spread = ((1 - alphas[t]) * (1 - bars[t - 1]) / (1 - bars[t])).sqrt()
        state[0] = mean / alphas[t].sqrt() + spread * torch.randn_like(x)

    return _turns(step, network, task)


def library(task: Task) -> tuple[Callable[[], object], dict]:
    """denoising-diffusion-pytorch's `p_sample`."""
    from denoising_diffusion_pytorch import GaussianDiffusion

    network = peers.library_unet(task).eval()
    diffusion = GaussianDiffusion(network, image_size=task.setup.renderer.shape[-1])
    state, times = [noise(task)], cycle(range(STEPS - 1, 0, -1))

    def step() -> None:
        state[0], _ = diffusion.p_sample(state[0], next(times))

    return _turns(step, network, task)


def diffusers(task: Task, make: Callable[[Task], nn.Module]) -> tuple[Callable[[], object], dict]:
    """The loop of diffusers' DDPMPipeline."""
    from diffusers import DDPMScheduler

    model, scheduler = make(task).eval(), DDPMScheduler(STEPS)
    scheduler.set_timesteps(STEPS)
    noise_of, times, state = peers.noise_of(model), cycle(scheduler.timesteps), [noise(task)]

    @torch.no_grad()
    def step() -> None:
        t = next(times)
        predicted = noise_of(state[0], t.expand(BATCH))
        state[0] = scheduler.step(predicted, t, state[0]).prev_sample

    return _turns(step, model, task)


def _turns(step: Callable, model: nn.Module, task: Task) -> tuple[Callable[[], object], dict]:
    def turn() -> None:
        for _ in range(task.steps):
            step()

    return turn, peers.about(turn, model, task.steps)


CONTESTANTS = {
    "unet": {
        "localbias": ours,
        "the same network, a naive loop": plain,
        "denoising-diffusion-pytorch": library,
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
SAMPLING = Comparison(
    f"{STEPS:,} steps", CONTESTANTS, {"laptop": (8, 50), "paper": (1, 1), "smoke": (2, 2)}, STEPS
)

app = command(
    SAMPLING,
    "Time, memory and rate of ancestral sampling beside other libraries'.",
)

if __name__ == "__main__":
    app()
