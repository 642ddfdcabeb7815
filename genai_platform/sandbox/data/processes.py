"""Start the engines' processes so that they end with the process that started them, and without being root."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from genai_platform.sandbox.processes import MARK

# Linux ends a child with its parent *thread*: everything is started by one thread that lives as long as the process.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="engine-starter")


@functools.cache
def unprivileged() -> tuple[str, ...]:
    """The words before a command that must not see itself as root (PostgreSQL refuses to), empty for ordinary users.

    In a user namespace root becomes an ordinary user that still owns root's files: no system user is made, and the
    data may lie where only root can enter.
    """
    if os.geteuid() != 0:
        return ()
    words = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        return words
    # Without user namespaces: the kernel's overflow user; the folders must be given to it (see ``own``).
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def own(folder: Path) -> None:
    """Give a folder to the user that ``unprivileged`` becomes, where that is another one."""
    if unprivileged()[:1] != ("setpriv",):
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)


def run(argv: Sequence[str], cwd: Path, variables: Mapping[str, str]) -> str:
    """Run a short command as ``unprivileged`` and answer what it printed.

    Raises:
        RuntimeError: it failed; the text is what it printed.
    """
    done = subprocess.run(
        [*unprivileged(), *argv], cwd=cwd, env={**_clean(), **variables}, capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{Path(argv[0]).name} failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")
    return done.stdout


def spawn(argv: Sequence[str], cwd: Path, log: Path, ends_with: signal.Signals = signal.SIGTERM) -> subprocess.Popen[bytes]:
    """Start a server. When this process goes, however it goes, the server gets ``ends_with``."""
    words = [*unprivileged(), "setpriv", f"--pdeathsig={ends_with.name.removeprefix('SIG')}", "--", *argv]

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            return subprocess.Popen(words, cwd=cwd, env=_clean(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    return _starter.submit(start).result()


def wait_until_ready(process: subprocess.Popen[bytes], ask: Callable[[], None], name: str, log: Path, seconds: float) -> None:
    """Until a server that was started answers.

    Args:
        ask: one request to it; any exception says that it does not answer yet.

    Raises:
        RuntimeError: it ended, or did not answer in time; with the end of its log.
    """
    alive = retry_if_exception(lambda error: process.poll() is None)
    try:
        Retrying(retry=alive, wait=wait_fixed(0.02), stop=stop_after_delay(seconds))(ask)
    except Exception as error:
        raise RuntimeError(f"{name} did not start: {tail(log)}") from error


def stop(process: subprocess.Popen[bytes], ends_with: signal.Signals = signal.SIGTERM, seconds: float = 5) -> None:
    """End a server in good order, and for certain after ``seconds``."""
    if process.poll() is not None:
        return
    process.send_signal(ends_with)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a message that says why a server did not start."""
    try:
        return " / ".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _clean() -> dict[str, str]:
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **mark}
