"""The local dependency ratio against the Jacobians of torch: time, memory, error.

`python benchmarks/ldr.py --help`; the README beside this file says what the tables compare and how
to read them.
"""

import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Annotated, NamedTuple

import torch
import typer
from measuring import Contestant, Report, clock_name, machine
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from localbias import networks
from localbias.ldr import local_dependency_ratio

NETWORKS = {
    "unet": {"width": 16, "mults": [1, 2, 4], "heads": 2, "head_width": 16},
    "dit": {"patch": 8, "width": 96, "depth": 4, "heads": 4},
}
EXACT_SAMPLES = {"unet": 4, "dit": 150}  # an exact sample takes the UNet half a minute
TOGETHER = {"unet": 1, "dit": 16}  # samples a call: about what is quickest on a CPU
TIME = 300  # the step that the networks are told
LOOP, OURS = "plain loop of VJPs", "local_dependency_ratio"


class Job(NamedTuple):
    """One measurement: exact by `method` at the first sample, or ours at `samples`, `probes`."""

    network: str
    size: int
    threads: int
    method: str
    samples: int = 1
    probes: int | None = None
    double: bool = False


class Run(NamedTuple):
    """Seconds, bytes of peak memory above the start, seconds of warming up, and what was found."""

    seconds: float
    memory: int
    warming: float
    result: list[float]


def denoiser(kind: str, size: int) -> nn.Module:
    """An untrained network whose outputs depend on all inputs: zeros drawn, attention sharpened."""
    torch.manual_seed(0)
    network = networks.make(kind, (1, size, size), **NETWORKS[kind])
    for layer in network.modules():
        if isinstance(layer, nn.Linear) and not layer.weight.any():
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias)
    for block in getattr(network, "blocks", []):
        block.qkv.weight.data *= (
            2  # or every patch listens to itself and a little to the mean of all: a ratio of 0.9
        )
    return network.eval().requires_grad_(False)


def outputs(f: Callable, region: Tensor) -> Callable[[Tensor], Tensor]:
    """The outputs [|R|] in the region of one sample, so that a Jacobian has these rows only."""
    return lambda one: f(one[None])[0][region]


def squares(jacobian: Tensor, region: Tensor) -> list[float]:
    """‖J_RR‖² and ‖J_R‖² of [|R|, *shape], added up in float64 without a copy in float64."""
    return [
        torch.linalg.vector_norm(part, dtype=torch.float64).item() ** 2
        for part in (jacobian[:, region], jacobian)
    ]


def loop(f: Callable, x: Tensor, region: Tensor) -> list[float]:
    x = x.clone().requires_grad_()
    inside = total = 0.0
    for output in outputs(f, region)(x[0]):
        (g,) = torch.autograd.grad(output, x, retain_graph=True)
        g = g[0].double()
        inside += g[region].square().sum().item()
        total += g.square().sum().item()
    return [inside, total]


def jacrev(f: Callable, x: Tensor, region: Tensor, chunk_size: int | None = None) -> list[float]:
    with sdpa_kernel(SDPBackend.MATH):  # the kernels that are otherwise picked cannot be batched
        return squares(torch.func.jacrev(outputs(f, region), chunk_size=chunk_size)(x[0]), region)


def jacobian(f: Callable, x: Tensor, region: Tensor, vectorize: bool = False) -> list[float]:
    with sdpa_kernel(SDPBackend.MATH):
        return squares(
            torch.autograd.functional.jacobian(outputs(f, region), x[0], vectorize=vectorize),
            region,
        )


def ours(f: Callable, x: Tensor, region: Tensor, **options) -> list[float]:
    products = local_dependency_ratio(f, x, region, details=True, **options)
    return [products.inside.item(), products.total.item()]


def compiled(f: Callable, x: Tensor, region: Tensor, chunk: int = 16) -> list[float]:
    @torch.compile
    def pull(x, vectors):  # one forward pass a chunk, so that forward and backward are one graph
        return torch.func.vmap(torch.func.vjp(f, x)[1])(vectors)[0]

    inside = total = 0.0
    with sdpa_kernel(SDPBackend.MATH):
        for part in region.flatten().nonzero().split(chunk):
            vectors = x.new_zeros(chunk, x.numel()).scatter_(
                1, part, 1
            )  # the last may be fewer: the others stay 0
            g = pull(x, vectors.view(chunk, *x.shape))
            inside += g[:, :, region].double().square().sum().item()
            total += g.double().square().sum().item()
    return [inside, total]


METHODS = {
    LOOP: loop,
    OURS: ours,
    f"{OURS}, chunk=8": lambda *given: ours(*given, chunk=8),
    "torch.func.jacrev": jacrev,
    "torch.func.jacrev, chunk_size=64": lambda *given: jacrev(*given, chunk_size=64),
    "torch.func.jacrev, chunk_size=16": lambda *given: jacrev(*given, chunk_size=16),
    "torch.autograd.functional.jacobian": jacobian,
    "torch.autograd.functional.jacobian, vectorize=True": lambda *given: jacobian(
        *given, vectorize=True
    ),
}
COMPILED = {
    f"{OURS}, compiled network": ours,
    "torch.compile of 16 VJPs by torch.func.vmap": compiled,
}


def estimates(f: Callable, x: Tensor, region: Tensor, probes: int, together: int) -> list[float]:
    generator = torch.Generator().manual_seed(1)
    parts = [
        local_dependency_ratio(f, part, region, probes, generator) for part in x.split(together)
    ]
    return torch.cat(parts).tolist()


def prepare(job: Job) -> tuple[Callable[[], list[float]], dict]:
    """What a contestant's turn is; it has warmed up on two pixels."""
    network = denoiser(job.network, job.size)
    x = torch.randn(job.samples, 1, job.size, job.size, generator=torch.Generator().manual_seed(0))
    region = torch.zeros(1, job.size, job.size, dtype=torch.bool)
    region[:, : job.size // 2, : job.size // 2] = True
    few = region & (region.cumsum(2) < 3) & (region.cumsum(1) < 2)  # two pixels of it
    if job.double:
        network, x = network.double(), x.double()
    if job.method in COMPILED:
        network = torch.compile(network)

    def f(x: Tensor) -> Tensor:
        return network(x, torch.full((len(x),), TIME))

    exact = {**METHODS, **COMPILED}[job.method]
    start = time.perf_counter()
    exact(f, x[:1], few)
    about = {"warming": time.perf_counter() - start}
    if job.probes is None:
        return lambda: exact(f, x, region), about
    return lambda: estimates(f, x, region, job.probes, TOGETHER[job.network]), about


class Bench:
    """Runs each job in a fresh process, forked from one that has only imported torch."""

    def __init__(self, jobs: int):
        import torch._dynamo  # noqa: F401  torch.func imports it at its first use: once here, not in every process

        tqdm.monitor_interval = 0  # a thread, which would be forked
        self.bar = tqdm(total=jobs, file=sys.stderr)

    def __call__(self, job: Job) -> Run:
        """EOFError where the process failed or was killed, most likely for want of memory."""
        self.bar.set_description(
            f"{job.network} {job.method}" + f", {job.probes} probes" * (job.probes is not None)
        )
        try:
            with Contestant(partial(prepare, job), job.threads) as contestant:
                seconds, memory, result = contestant()
                return Run(seconds, memory, contestant.about["warming"], result)
        finally:
            self.bar.update()


def exact_table(bench: Bench, plain: Job, methods: list[str], repeats: int) -> list[str]:
    truth = bench(plain._replace(double=True)).result
    runs: dict[str, list[Run]] = {name: [] for name in methods}
    failed = set()
    for i in range(repeats):  # there and back, so that a machine that slows down is unfair to none
        for name in methods[:: (-1) ** i]:
            try:
                runs[name].append(bench(plain._replace(method=name)))
            except EOFError:
                failed.add(name)
    yardstick = min(run.seconds for run in runs[LOOP])
    rows = [
        f"| exact, one sample | {clock_name(plain.threads)}, s | of the loop's "
        "| peak memory, MB | largest error |",
        "|:--|--:|--:|--:|--:|",
    ]
    for name, found in runs.items():
        if name in failed:
            rows.append(f"| {name} | failed | | | |")
            continue
        seconds, memory = min(run.seconds for run in found), max(run.memory for run in found)
        error = max(worst(run.result, truth) for run in found)
        rows.append(
            f"| {name} | {seconds:.3g} | {seconds / yardstick:.2f} "
            f"| {memory / 1e6:.1f} | {error:.0e} |"
        )
    rows += ["", f"The sample's ratio is {truth[0] / truth[1]:.4f}."]
    rows += [
        f"{name}: the first use took {found[0].warming:.0f} s more."
        for name, found in runs.items()
        if name in COMPILED and found
    ]
    return rows


def worst(found: list[float], truth: list[float]) -> float:
    """The largest relative error of ‖J_RR‖², ‖J_R‖² and their ratio."""
    pairs = [*zip(found, truth), (found[0] / found[1], truth[0] / truth[1])]
    return max(abs(one / other - 1) for one, other in pairs)


def estimator_table(
    bench: Bench, plain: Job, samples: int, exact_samples: int, probes: list[int]
) -> list[str]:
    job = plain._replace(method=OURS)
    exact = bench(job._replace(samples=exact_samples, probes=(plain.size // 2) ** 2))
    each, truth = exact.seconds / exact_samples, exact.result
    rows = [
        f"| probes | {clock_name(plain.threads)} a sample, ms | speed-up | peak memory, MB "
        "| error of the mean | of one sample (rms) |",
        "|--:|--:|--:|--:|--:|--:|",
        f"| exact | {each * 1e3:.4g} | 1 | {exact.memory / 1e6:.1f} | | |",
    ]
    times = []
    for count in probes:
        run = bench(job._replace(samples=samples, probes=count))
        mean = abs(fmean(run.result[:exact_samples]) / fmean(truth) - 1)
        one = math.sqrt(
            fmean((estimate / ratio - 1) ** 2 for estimate, ratio in zip(run.result, truth))
        )
        times.append(run.seconds / samples)
        rows.append(
            f"| {count} | {times[-1] * 1e3:.4g} | {each / times[-1]:.1f} | {run.memory / 1e6:.1f} "
            f"| {mean:.2%} | {one:.2%} |"
        )
    rows += [
        "",
        f"{samples} samples, {TOGETHER[plain.network]} at a time; exact and errors over "
        f"{exact_samples} of them, whose mean ratio is {fmean(truth):.4f}.",
    ]
    if len(set(probes)) > 1:
        slope, base = linear_regression(probes, times)
        off = max(abs(base + slope * n - s) / s for n, s in zip(probes, times))
        rows.append(
            f"A sample takes {base * 1e3:.3g} ms + {slope * 1e3:.3g} ms a probe, "
            f"to within {off:.0%}."
        )
    return rows


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    network: Annotated[list[str], typer.Option(help="unet or dit; may be given several times.")] = [
        "dit"
    ],
    size: Annotated[
        int, typer.Option(help="Side of the images; the region is their top-left quadrant.")
    ] = 64,
    samples: Annotated[int, typer.Option(help="Samples that the estimator averages.")] = 150,
    exact_samples: Annotated[
        int | None, typer.Option(help="Of them, exact too: by default 150 (dit) or 4.")
    ] = None,
    probes: Annotated[list[int], typer.Option(help="May be given several times.")] = [
        1,
        2,
        4,
        8,
        16,
        32,
        64,
    ],
    repeats: Annotated[int, typer.Option(help="Of the exact methods; the best time counts.")] = 3,
    threads: Annotated[int, typer.Option(help="CPU cores to use.")] = 1,
    estimator: Annotated[bool, typer.Option(help="The second table, of the estimator.")] = True,
    with_compile: Annotated[
        bool, typer.Option("--compile", help="Also torch.compile, given a C++ compiler.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Seconds: 16×16 images, 4 samples, once.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Also write the tables there.")] = None,
):
    """Time, memory and error of the ratio beside torch's Jacobians: Markdown tables."""
    if unknown := [name for name in network if name not in NETWORKS]:
        raise typer.BadParameter(f"network {unknown[0]!r}; known: {', '.join(NETWORKS)}")
    if size < 16 or size % 16:
        raise typer.BadParameter(
            f"size {size}; allowed: multiples of 16, so that a quadrant is whole patches"
        )
    counts = {
        "samples": samples,
        "exact-samples": exact_samples,
        "repeats": repeats,
        "threads": threads,
        "probes": min(probes),
    }
    if wrong := [
        f"{name} {count}" for name, count in counts.items() if count is not None and count < 1
    ]:
        raise typer.BadParameter(f"{wrong[0]}; allowed: 1 or more")
    if smoke:
        size, samples, repeats, probes = 16, 4, 1, [1, 8, 64]
    report = Report(output)

    def tell(*new: str) -> None:
        bench.bar.clear()
        report(*new)

    compiler = (
        os.environ.get("CXX")
        or shutil.which("c++")
        or shutil.which("g++")
        or shutil.which("clang++")
    )
    methods = [*METHODS, *(COMPILED if with_compile and compiler else [])]
    bench = Bench(len(network) * (1 + repeats * len(methods) + estimator * (1 + len(probes))))
    tell(machine(threads), "")
    if with_compile and not compiler:
        tell("torch.compile is left out: it needs a C++ compiler, and none was found.", "")
    for kind in network:
        plain = Job(kind, size, threads, LOOP)
        tell(f"## {kind}, region of {(size // 2) ** 2:,} in {size}×{size} pixels", "")
        tell(*exact_table(bench, plain, methods, repeats), "")
        if estimator:
            exact = min(samples, exact_samples or EXACT_SAMPLES[kind])
            tell(*estimator_table(bench, plain, samples, exact, probes), "")
    bench.bar.close()


if __name__ == "__main__":
    app()
