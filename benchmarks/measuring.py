"""What the benchmarks share: contestants in processes of their own, their time, their memory."""

import ctypes
import math
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

Prepare = Callable[[], tuple[Callable[[], Any], dict[str, Any]]]


class Turn(NamedTuple):
    """Seconds of a turn, the most bytes held since the start above it, and what it returned."""

    seconds: float
    memory: int
    result: Any


def peak() -> int:
    """The most bytes of memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def forget() -> None:
    """Give back what importing has freed, and let the peak start from here where it can."""
    with suppress(AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def clock(threads: int) -> Callable[[], float]:
    """Processor time with one thread, so that other work counts little; else the wall's."""
    return time.process_time if threads == 1 else time.perf_counter


def clock_name(threads: int) -> str:
    """What a table calls that time."""
    return "CPU time" if threads == 1 else "time"


class Contestant:
    """A process forked from this one, which takes turns when it is told to.

    A context manager: at its end the process ends.

    Args:
        prepare: called there; it builds, warms up and returns what a turn is, and what else is to
            be known of it (`about`).
        threads: of the CPU.
        whole: whether what `prepare` left counts as memory: networks and moments, not only what a
            turn takes.

    Raises:
        EOFError: where the process failed or was killed, most likely for want of memory.
    """

    def __init__(self, prepare: Prepare, threads: int, whole: bool = False):
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, threads, whole))
        self._process.start()
        theirs.close()

    def __call__(self) -> Turn:
        self._ours.send(True)
        return Turn(*self._ours.recv())

    def __enter__(self) -> "Contestant":
        self.about = self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._ours.send(False)
        self._process.join()


def _serve(pipe: Any, prepare: Prepare, threads: int, whole: bool) -> None:
    torch.set_num_threads(threads)
    now = clock(threads)
    forget()
    before = peak()
    try:
        turn, about = prepare()
    except ModuleNotFoundError as error:
        pipe.send({"missing": f"{error.name} is not installed"})
        return
    forget()  # what warming up took for a while
    if not whole:
        before = peak()
    pipe.send(about)
    while pipe.recv():
        begun = now()
        result = turn()
        pipe.send((now() - begun, peak() - before, result))


def interleaved(
    contestants: dict[str, Prepare], rounds: int, threads: int, label: str = ""
) -> tuple[dict[str, list[Turn]], dict[str, dict], dict[str, str]]:
    """Turns of all contestants, round by round, there and back so that no drift is unfair.

    Args:
        contestants: by name, what each process prepares.
        rounds: turns of each.
        threads: of the CPU.
        label: of the progress bar.

    Returns:
        By name the turns, and what each said of itself; and why others are left out.
    """
    turns: dict[str, list[Turn]] = {}
    left: dict[str, str] = {}
    about: dict[str, dict] = {}
    with ExitStack() as stack, tqdm(total=rounds * len(contestants), file=sys.stderr) as bar:
        playing = {}
        for name, prepare in contestants.items():
            bar.set_description(f"{label} {name}")
            try:
                playing[name] = stack.enter_context(Contestant(prepare, threads, whole=True))
            except EOFError:
                left[name] = "its process failed"
                continue
            if why := playing[name].about.get("missing"):
                left[name] = why
                del playing[name]
                continue
            turns[name], about[name] = [], playing[name].about
        for i in range(rounds):
            for name in list(playing)[:: (-1) ** i]:
                bar.set_description(f"{label} {name}")
                turns[name].append(playing[name]())
                bar.update()
    return turns, about, left


def ratios(turns: list[Turn], of: list[Turn]) -> tuple[float, float, float]:
    """Median and quartiles of one contestant's time over another's, round by round."""
    found = sorted(a.seconds / b.seconds for a, b in zip(turns, of))
    return median(found), *spread(found)


def spread(values: Iterable[float]) -> tuple[float, float]:
    """The first and third quartile, of few values the nearest ones."""
    found = sorted(values)
    return found[(len(found) - 1) // 4], found[math.ceil(3 * (len(found) - 1) / 4)]


def table(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A Markdown table: the first column to the left, the others to the right."""
    lines = [f"| {' | '.join(header)} |", f"|:--|{'--:|' * (len(header) - 1)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def machine(threads: int) -> str:
    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    used = f"{threads} thread{'s' * (threads > 1)} of {os.cpu_count()} cores"
    return f"{name}, {used}, torch {torch.__version__}, Python {platform.python_version()}."


class Report:
    """Prints lines as they come, and writes them to a file if there is one."""

    def __init__(self, output: Path | None):
        self.lines: list[str] = []
        self.output = output

    def __call__(self, *new: str) -> None:
        print(*new, sep="\n", flush=True)
        self.lines.extend(new)
        if self.output:
            self.output.write_text("\n".join(self.lines) + "\n")
