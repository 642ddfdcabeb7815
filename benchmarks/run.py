"""Measures `genai` against what it saves or costs, and prints ratios. Everything is measured in this one run.

    python benchmarks/run.py              # start-up times; seconds
    python benchmarks/run.py --sandbox    # first and second `up`, too; some minutes

Nothing is asserted: the numbers are this machine's, and the ratios are what can be compared.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

GENAI = [sys.executable, "-m", "genai_platform"]


def seconds(argv: Sequence[str], folder: Path, times: int = 1) -> float:
    """The median of ``times`` runs, after one that warms the disk's cache when there are several."""
    taken = []
    for number in range(times + (times > 1)):
        started = time.perf_counter()
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        if number or times == 1:
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def told(what: str, measured: float, against: str, other: float) -> None:
    """One line: both times and their ratio."""
    print(f"{what:<34} {measured:8.2f} s   {against:<30} {other:8.2f} s   ratio {measured / other:6.2f}", flush=True)


def start(folder: Path) -> None:
    """How long one waits for the first word."""
    help_ = seconds([*GENAI, "--help"], folder, 9)
    told("genai --help", help_, "python -c pass", seconds([sys.executable, "-c", "pass"], folder, 9))
    if aws := shutil.which("aws"):
        told("genai --help", help_, "aws --version", seconds([aws, "--version"], folder, 5))
    else:
        print("aws is not installed: not compared")


def sandbox(folder: Path) -> None:
    """The whole platform: made, and found in place."""
    options = ["--sandbox", "--env", "bench", "--yes", "--plain"]
    try:
        first = seconds([*GENAI, "up", *options], folder)
        told("second up, everything present", seconds([*GENAI, "up", *options], folder), "first up, an empty world", first)
        told("verify", seconds([*GENAI, "verify", *options], folder), "first up, an empty world", first)
    finally:
        down = seconds([*GENAI, "down", *options], folder)
    told("down, with its audit", down, "first up, an empty world", first)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sandbox", action="store_true", help="also bring a sandbox up twice and take it down")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genai-bench-") as name:
        start(Path(name))
        if chosen.sandbox:
            sandbox(Path(name))


if __name__ == "__main__":
    main()
