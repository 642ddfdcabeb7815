"""Measures `genai` on this machine and prints ratios: python -m benchmarks [startup|rendering|scheduling|status|terraform|sandbox]…"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks import rendering, sandbox, scheduling, startup

# The sandbox comes last: a look into one forgets the variables that lead elsewhere.
PARTS = {
    "startup": startup.pairs,
    "rendering": rendering.pairs,
    "scheduling": scheduling.pairs,
    "status": sandbox.status_pairs,
    "terraform": sandbox.terraform_pairs,
    "sandbox": sandbox.pairs,
}


def main() -> None:
    """Measure what was asked for; by default everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Both sides of a pair are measured in this one run.")
    parser.add_argument("part", nargs="*", help=f"one of: {', '.join(PARTS)}; default: all")
    parser.add_argument("--folder", type=Path, help="the project whose sandbox runs; default: the current folder")
    arguments = parser.parse_args()
    chosen = arguments.part or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"unknown part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if arguments.folder is not None:
        os.chdir(arguments.folder)
    for name in PARTS:
        if name in chosen:
            print(f"# {name}", flush=True)
            for pair in PARTS[name]():
                print(pair, flush=True)


if __name__ == "__main__":
    main()
