"""The engines' processes: they end with the process that started them, and run without being root."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from genai_platform.files import write_private
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


def run(argv: Sequence[str], cwd: Path) -> None:
    """Run a short command as ``unprivileged``.

    Raises:
        RuntimeError: it failed; the text is what it printed.
    """
    done = subprocess.run([*unprivileged(), *argv], cwd=cwd, env=_clean(), capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{Path(argv[0]).name} failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")


class Server:
    """One engine: a folder, a process, a Unix socket in the folder."""

    socket: str
    """The socket's name in the folder."""
    owner: str
    """The name of the file that holds the password nobody else gets."""
    ends_with = signal.SIGTERM
    """The signal by which it ends in good order."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket_file, self._secret = folder / self.socket, folder / self.owner

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def _ask(self) -> None:
        """One request to it; any exception says that it does not answer yet."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it in good order, and for certain after five seconds."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(self.ends_with)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _make_secret(self) -> None:
        if not self._secret.exists():
            write_private(self._secret, secrets.token_urlsafe(32))

    def _run(self, argv: Sequence[str], name: str, seconds: float) -> None:
        """Start it and wait until it answers. When this process goes, however it goes, the server gets ``ends_with``.

        Raises:
            RuntimeError: it ended, or did not answer in time; with the end of its log.
        """
        words = [*unprivileged(), "setpriv", f"--pdeathsig={self.ends_with.name.removeprefix('SIG')}", "--", *argv]
        log = self._folder / "server.log"

        def start() -> subprocess.Popen[bytes]:
            with log.open("ab") as out:
                return subprocess.Popen(
                    words, cwd=self._folder, env=_clean(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )

        process = self._process = _starter.submit(start).result()
        alive = retry_if_exception(lambda error: process.poll() is None)
        try:
            Retrying(retry=alive, wait=wait_fixed(0.02), stop=stop_after_delay(seconds))(self._ask)
        except Exception as error:
            raise RuntimeError(f"{name} did not start: {' / '.join(log.read_text(errors='replace').splitlines()[-5:])}") from error


def _clean() -> dict[str, str]:
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC", **mark}
