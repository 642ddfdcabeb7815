"""Probes: looking at a container again and again, and saying when enough looks agree."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from genai_platform.sandbox.cluster.api import Object

ProbeKind = Literal["startup", "readiness", "liveness"]
Execute = Callable[[list[str], float], tuple[bool, str]]
"""Runs a command in the container."""

_EAGER = 0.5


@dataclass(frozen=True)
class Target:
    """The container that is looked at."""

    container: Object
    pod_address: str
    """10.N.x.y, as the API shows it."""
    address: str
    """127.N.x.y, where it listens."""
    execute: Execute


def look(probe: Object, target: Target) -> tuple[bool, str]:
    """One look: whether it succeeded, and what went wrong in a kubelet's words."""
    timeout = float(probe.get("timeoutSeconds") or 1)
    if "exec" in probe:
        return target.execute(list(probe["exec"].get("command") or ()), timeout)
    if "httpGet" in probe:
        return _http(probe["httpGet"], target, timeout)
    if "tcpSocket" in probe:
        port = _port(probe["tcpSocket"]["port"], target.container)
        try:
            socket.create_connection((target.address, port), timeout).close()
        except OSError as error:
            return False, f"dial tcp {target.pod_address}:{port}: {_reason(error)}"
        return True, ""
    return False, "this kind of probe is not known in the sandbox"


def _http(action: Object, target: Target, timeout: float) -> tuple[bool, str]:
    port = _port(action["port"], target.container)
    path = "/" + str(action.get("path", "/")).lstrip("/")
    secure = action.get("scheme", "HTTP") == "HTTPS"
    url = f"{'https' if secure else 'http'}://{target.pod_address}:{port}{path}"
    headers = {"User-Agent": "kube-probe/1.35", "Accept": "*/*", "Host": f"{target.pod_address}:{port}", "Connection": "close"}
    headers.update({header["name"]: header["value"] for header in action.get("httpHeaders") or ()})
    connection: http.client.HTTPConnection
    if secure:
        # As a kubelet: a probe does not ask who answers.
        connection = http.client.HTTPSConnection(target.address, port, timeout=timeout, context=ssl._create_unverified_context())  # noqa: S323
    else:
        connection = http.client.HTTPConnection(target.address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return False, f'Get "{url}": {_reason(error)}'
    finally:
        connection.close()
    return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connect: connection refused"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded"
    return str(error) or type(error).__name__


def _port(port: int | str, container: Object) -> int:
    if isinstance(port, str) and not port.isdigit():
        return next((int(p["containerPort"]) for p in container.get("ports") or () if p.get("name") == port), 0)
    return int(port)


class Prober(threading.Thread):
    """One probe of one run of a container.

    ``tell(kind, ok, message, final)`` is called for the first verdict and each change of it, and with ``final`` false
    for single failures below the threshold. Until its first success a start or readiness probe looks twice a second,
    whatever its period and delay, so that nobody waits longer than need be; failures count at the stated times only.
    """

    def __init__(self, kind: ProbeKind, probe: Object, target: Target, tell: Callable[[ProbeKind, bool, str, bool], None]) -> None:
        super().__init__(name=f"{kind} probe of {target.container['name']}", daemon=True)
        self._kind, self._probe, self._seen, self._tell = kind, probe, target, tell
        self._ended = threading.Event()

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        period = float(self._probe.get("periodSeconds") or 10)
        needed = int(self._probe.get("successThreshold") or 1)
        allowed = int(self._probe.get("failureThreshold") or 3)
        eager = self._kind != "liveness"
        until_counted = float(self._probe.get("initialDelaySeconds") or 0)
        verdict: bool | None = None
        good = bad = 0
        pause = min(_EAGER, period) / 5 if eager else max(until_counted, 0.1)
        while not self._ended.wait(pause):
            until_counted -= pause
            ok, message = look(self._probe, self._seen)
            if self._ended.is_set():
                return
            if ok:
                good, bad = good + 1, 0
                if verdict is not True and good >= needed:
                    verdict = True
                    self._tell(self._kind, True, "", True)
                    if self._kind == "startup":
                        return
            elif verdict is True or until_counted <= 0:
                good, bad = 0, bad + 1
                until_counted = period
                final = bad >= allowed
                self._tell(self._kind, False, message, final and verdict is not False)
                if final:
                    verdict = False
                    if self._kind != "readiness":
                        return
            pause = min(_EAGER, period) if eager and verdict is not True else period
