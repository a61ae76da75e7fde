"""What records survive: kills at random moments, several processes, a full disk, flipped bits.

`python benchmarks/soak.py --help`; the README beside this file says what the columns count.
"""

import fcntl
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Annotated

import torch._dynamo  # noqa: F401  every optimizer imports it, for a second: here for all forks
import typer
from tqdm import tqdm

from localbias import cli
from localbias.experiments import Experiment, catalogue, engine
from localbias.store import Record, all_records, hash_arrays
from localbias.training import use_threads

NAME, TIER = "parity-8-scalars", "smoke"  # it keeps weights, so it has files of every kind
STEPS = 300  # long enough for several checkpoints
MAKE = catalogue.make
PATIENCE = 60  # seconds within which a process that nobody disturbs ends
COLUMNS = (
    *("faults", "resumed", "finished", "refused", "lost", "false", "two at once", "tracebacks"),
    "left over",
)


def longer(name: str, tier: str, seed: int = 0) -> Experiment:
    """The experiment in more steps than its tier has."""
    made = MAKE(name, tier, seed)
    training = replace(made.training, steps=STEPS)
    return made.replace(training=training, measure_at=(10, 150, STEPS), keep=(STEPS,))


class Soak:
    """One folder of records and one of checkpoints, and what happens to them.

    Attributes:
        folder: of both.
        counts: what was seen, by COLUMNS.
        truth: hash of the arrays of an undisturbed run, by seed.
        lasts: seconds that such a run takes.
    """

    def __init__(self, folder: Path, seeds: int, chance: random.Random):
        self.folder, self.chance = folder, chance
        self.counts: Counter[str] = Counter()
        self.truth: dict[int, str] = {}
        self.lasts = float(PATIENCE)
        for seed in range(seeds):
            began = time.monotonic()
            self.finish([self.start(seed)])
            self.lasts = min(self.lasts, time.monotonic() - began)
            self.truth[seed] = self.record(seed).origin["arrays_sha256"]
        self.clear()
        self.counts.clear()

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def clear(self) -> None:
        """Begin with empty folders."""
        for folder in (self.records, self.runs):
            shutil.rmtree(folder, ignore_errors=True)

    def record(self, seed: int) -> Record:
        """The record of a seed. ValueError where it is damaged."""
        found = engine.find(longer(NAME, TIER, seed), self.records)
        if found is None:
            raise ValueError(f"no record of seed {seed}")
        return found

    def start(self, seed: int, largest: int | None = None) -> int:
        """A process of `localbias run`, which may write files up to a size; its number.

        It is forked, so it need not import torch again.
        """
        checkpoint = self.runs / f"{longer(NAME, TIER, seed).stem}.safetensors"
        resumes = checkpoint.exists()
        if child := os.fork():
            self.counts["resumed"] += resumes
            return child
        status = 1
        try:
            told = os.open(self.folder / "told", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(told, stream)
            self._run(seed, largest)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                os.write(2, f"{end.code}\n".encode())
        except BaseException:  # what a user would see as a traceback
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status)

    def _run(self, seed: int, largest: int | None) -> None:
        """The command, with its folders here and a checkpoint every few steps."""
        tqdm.set_lock(RLock())  # its own is shared with all forks, and a killed one may hold it
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        catalogue.make = longer
        engine.FIRST_SAVE = engine.SAVE_EVERY = 0.02
        engine.records_of = lambda tier: self.records
        train, run = engine._run, engine.run

        def alone(*arguments):
            """One that finds another training counts as a fault of the lock."""
            with (self.folder / "alone").open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.write(2, b"TWO AT ONCE\n")
                return train(*arguments)

        engine._run = alone
        engine.run = lambda one, device, smoke: run(one, device, None, self.records, self.runs)
        sys.argv = [
            "localbias",
            "run",
            NAME,
            "--tier",
            TIER,
            "--seed",
            str(seed),
            "--device",
            "cpu",
        ]
        cli.main()

    def kill(self, children: list[int]) -> None:
        """Kill each of the processes at a moment of its own, if it has not ended by then."""
        moments = sorted((self.chance.uniform(0, 1.2 * self.lasts), child) for child in children)
        began = time.monotonic()
        for moment, child in moments:
            ended, status = os.waitpid(child, os.WNOHANG)
            while not ended and time.monotonic() < began + moment:
                time.sleep(0.002)
                ended, status = os.waitpid(child, os.WNOHANG)
            if not ended:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            self.counts["faults"] += os.WIFSIGNALED(status)

    def finish(self, children: list[int]) -> None:
        """Wait for processes; RuntimeError for one that hangs."""
        until = time.monotonic() + PATIENCE
        for child in children:
            while os.waitpid(child, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(child, signal.SIGKILL)
                    raise RuntimeError("a process hangs")
                time.sleep(0.005)

    def check(self, seed: int, at_rest: bool = True) -> None:
        """Count what is wrong with a record that ought to be there.

        After a run that nobody disturbed nothing but the record may lie in the folders.
        """
        try:
            found = self.record(seed)
        except ValueError:
            self.counts["lost"] += 1
            return
        self.counts["finished"] += 1
        self.counts["false"] += hash_arrays(found.arrays) != self.truth[seed]
        if at_rest:
            whole = all_records(folder=self.records)
            theirs = {self.records / name for one in whole for name in one.origin["files"]}
            theirs |= {one.path for one in whole}
            there = {path for folder in (self.records, self.runs) for path in folder.rglob("*.*")}
            odd = [one for one in there - theirs if one.is_file() and one.suffix != ".lock"]
            self.counts["left over"] += len(odd)

    def row(self, title: str) -> str:
        """What was counted, as a row of the table."""
        told = self.folder / "told"
        # A process may be killed within a character of its progress bar.
        text = told.read_text("utf-8", "replace") if told.exists() else ""
        self.counts["tracebacks"] = text.count("Traceback")
        self.counts["two at once"] = text.count("TWO AT ONCE")
        cells = [title, *(f"{self.counts[column]:,}" for column in COLUMNS)]
        self.counts.clear()
        with suppress(FileNotFoundError):
            (self.folder / "told").unlink()
        return f"| {' | '.join(cells)} |"


def kills(soak: Soak, count: int, at_once: int, tell: Callable[[int], object]) -> str:
    """Kill processes that want the same record until so many were killed; check every record.

    Once there is a record, or by chance, what has begun is let be, and then begun anew.
    """
    seeds = list(soak.truth)
    while soak.counts["faults"] < count:
        seed = soak.chance.choice(seeds)
        before = soak.counts["faults"]
        while soak.counts["faults"] < count and soak.chance.random() < 0.9:
            soak.kill([soak.start(seed) for _ in range(at_once)])
            if any(soak.records.glob("*.json")):
                soak.check(seed, at_rest=False)  # a record that is there is whole
                break
        soak.finish([soak.start(seed) for _ in range(at_once)])
        soak.check(seed)
        tell(soak.counts["faults"] - before)
        soak.clear()
    processes = "1 process" if at_once == 1 else f"{at_once} processes at once"
    return soak.row(f"SIGKILL, {processes}")


def full_disk(soak: Soak, count: int, tell: Callable[[int], object]) -> str:
    """Runs in which no file may become larger than a random size, then one without a limit."""
    soak.finish([soak.start(0)])
    sizes = [path.stat().st_size for path in soak.records.glob("*.*")]
    for _ in range(count):
        soak.clear()
        whole = soak.chance.random() < 0.5  # beside a record that is there already
        if whole:
            soak.finish([soak.start(0)])
            soak.check(0)
        soak.finish([soak.start(1, int(soak.chance.uniform(0, 1.5 * max(sizes))))])
        soak.counts["faults"] += 1
        if whole:
            soak.check(0)
        soak.finish([soak.start(1)])
        soak.check(1)
        tell(1)
    soak.clear()
    return soak.row("a write that fails for want of room")


def flips(soak: Soak, count: int, of_checkpoint: bool, tell: Callable[[int], object]) -> str:
    """Flip one random bit of a random file; what is then read has to be right or refused."""
    for done in range(count):
        soak.clear()
        seed = done % len(soak.truth)
        if of_checkpoint:
            while not list(soak.runs.glob("*.safetensors")):
                child = soak.start(seed)
                time.sleep(soak.chance.uniform(0.2, 0.9) * soak.lasts)
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                if list(soak.records.glob("*.json")):
                    soak.clear()
        else:
            soak.finish([soak.start(seed)])
        folder = soak.runs if of_checkpoint else soak.records
        files = [path for path in folder.iterdir() if path.is_file() and path.stat().st_size]
        path = soak.chance.choice(sorted(files))  # a lock's file is empty
        content = bytearray(path.read_bytes())
        content[soak.chance.randrange(len(content))] ^= 1 << soak.chance.randrange(8)
        path.write_bytes(content)
        soak.counts["faults"] += 1
        soak.finish([soak.start(seed)])
        try:
            found = soak.record(seed)
            soak.counts["finished"] += 1
            soak.counts["false"] += hash_arrays(found.arrays) != soak.truth[seed]
        except ValueError:  # it is refused, not repaired
            soak.counts["refused"] += 1
        tell(1)
    soak.clear()
    return soak.row(f"a flipped bit, {'checkpoint' if of_checkpoint else 'record'}")


app = typer.Typer(add_completion=False)


@app.command()
def main(
    count: Annotated[int, typer.Option("--kills", help="SIGKILLs, in three equal parts.")] = 1000,
    others: Annotated[int, typer.Option(help="Full disks, and flips of either kind.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the moments, sizes and bits.")] = 0,
    output: Annotated[Path | None, typer.Option(help="Also write the table there.")] = None,
):
    """Disturb trainings and count what is lost, false or ugly: a Markdown table."""
    if count < 3 or others < 1:
        raise typer.BadParameter(f"--kills {count} --others {others}; allowed: from 3, from 1")
    use_threads(1)
    lines = [
        f"| fault | {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * len(COLUMNS)}",
    ]
    with tempfile.TemporaryDirectory() as scratch, tqdm(total=count + 3 * others) as bar:
        soak = Soak(Path(scratch), 4, random.Random(seed))
        parts = [count - 2 * (count // 3), count // 3, count // 3]
        jobs: list[Callable[[], str]] = [
            *(
                lambda part=part, n=n: kills(soak, part, n, bar.update)
                for part, n in zip(parts, (1, 2, 4))
            ),
            lambda: full_disk(soak, others, bar.update),
            lambda: flips(soak, others, False, bar.update),
            lambda: flips(soak, others, True, bar.update),
        ]
        for job in jobs:
            lines.append(job())
            tqdm.write(lines[-1])
    text = "\n".join(lines) + "\n"
    print(text)
    if output:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    app()
