"""Where a record comes from: the code, the machine, the libraries, the seconds it took."""

import platform
import shutil
import subprocess
from importlib import metadata
from typing import Any

from localbias.store.paths import ROOT


def origin_of(
    *,
    key: str,
    experiment: dict[str, Any],
    fingerprint: dict[str, float] | None,
    code: str,
    seconds: float,
    device: str,
    threads: int,
    libraries: tuple[str, ...],
    **more: Any,
) -> dict[str, Any]:
    """The JSON object of a record, as far as it does not depend on what was measured.

    Args:
        key: of the configuration.
        experiment: the whole configuration, as JSON has it.
        fingerprint: a few numbers of the same configuration made small; None where there is none.
        code: what `code_version` said before the run began.
        seconds: of wall time that it took.
        device: "cpu", or the name of the GPU.
        threads: of PyTorch on the CPU.
        libraries: names of the distributions whose versions decide the numbers.
        more: what else this kind of record holds.
    """
    return {
        "key": key,
        "experiment": experiment,
        "fingerprint": fingerprint,
        **more,
        "code": code,
        "device": device,
        "threads": threads,
        "machine": platform.machine(),
        "libraries": {name: metadata.version(name) for name in libraries},
        "seconds": round(seconds, 1),
    }


def code_version() -> str:
    """The commit the code stands at, with "-dirty" if it has changed; elsewhere the version."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    if (ROOT / ".git").exists() and shutil.which("git"):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if result.returncode == 0:
            return result.stdout.strip()
    return metadata.version("localbias")
