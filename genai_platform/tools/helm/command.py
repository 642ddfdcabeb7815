"""pyhelm3's commands, run without a shell, with the variables and the kubeconfig of the target."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import semver
from pyhelm3 import errors
from pyhelm3.command import Command

_GRACE = 30
"""Seconds between the request to end and the kill: Helm writes down that the release failed."""


class HelmCommand(Command):  # type: ignore[misc]
    """Builds the same command lines as its parent; only how they run differs.

    Helm runs in a session of its own: Ctrl-C at the terminal reaches this program only, which lets Helm finish.
    """

    def __init__(self, program: Path, kubeconfig: Path | None, variables: Mapping[str, str], *, history: int) -> None:
        super().__init__(executable=str(program), kubeconfig=kubeconfig, history_max_revisions=history)
        self._variables = dict(variables)

    async def run(self, command: Sequence[Any], input: bytes | None = None) -> bytes:
        """Run Helm; ``input`` goes to its standard input. Raises one of pyhelm3's errors."""
        arguments = [self._executable, *map(str, command)]
        if self._kubeconfig:
            arguments += ["--kubeconfig", str(self._kubeconfig)]
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE if input is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._variables,
            start_new_session=True,
        )
        try:
            out, err = await process.communicate(input)
        except asyncio.CancelledError:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
            except TimeoutError:
                process.kill()
            raise
        if process.returncode == 0:
            return out
        kind = errors.ReleaseNotFoundError if b"release: not found" in err.lower() else errors.Error
        raise kind(process.returncode, out, err)

    def client_version(self) -> semver.VersionInfo:
        answer = subprocess.run(
            [self._executable, "version", "--template", "{{ .Version }}"], capture_output=True, text=True, check=True, env=self._variables
        )
        return semver.VersionInfo.parse(answer.stdout.strip().lstrip("v"))
