"""Build a program from its Go module; versions and sums are locked by the go.mod and go.sum next to this file."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genai_platform.programs.download import Unavailable

MODULES = Path(__file__).resolve().parent / "modules"


@dataclass(frozen=True)
class GoBuild:
    """A package of a locked module. ``stamps`` are linker variables: without them some programs report no version."""

    module: str
    package: str
    minutes: float
    """Typical duration on two cores, shown while one waits."""
    stamps: Mapping[str, str] = field(default_factory=dict)

    def fetch(self, program: str, version: str, target: Path, say: Callable[[str], None]) -> None:
        """Compile the program to ``target``.

        Raises:
            Unavailable: no Go here, too old, or the build failed (its last lines are in the text).
        """
        go = shutil.which("go")
        if go is None:
            raise Unavailable("Go is not installed")
        folder = MODULES / self.module
        flags = " ".join(["-s", "-w", *(f"-X {name}={value.format(version=version)}" for name, value in self.stamps.items())])
        build = subprocess.Popen(
            [go, "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(target), self.package],
            cwd=folder,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(build.stderr or ()), daemon=True)
        reader.start()
        started = time.monotonic()
        try:
            while build.poll() is None:
                elapsed = time.monotonic() - started
                say(f"{program} {version}: compiling, {elapsed:.0f} s (about {self.minutes:.0f} min on two cores)")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    build.wait(1)
        except BaseException:
            build.kill()
            raise
        finally:
            build.wait()
            reader.join()
        if build.returncode != 0:
            told = [line.strip() for line in lines if line.strip() and not line.startswith("go: downloading")]
            raise Unavailable(f"go build failed: {' | '.join(told[-3:]) or build.returncode}")


def locked_version(module: str, requirement: str) -> str:
    """The version of a requirement in a module's go.mod, without its ``v``."""
    found = re.search(rf"^(?:require)?\s*{re.escape(requirement)} v(\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise LookupError(f"{requirement} is not in {module}/go.mod")
    return found[1]
