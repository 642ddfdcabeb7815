"""Ports of 127.0.0.1 that nothing else takes between their choice and their use."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket

_EACH = 1000
_FIRST = 9000 + _EACH * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Below what systems give to outgoing connections (32768 on Linux) and to a sandbox (18000); each test process has its own."""
_ports = itertools.cycle(range(_FIRST, _FIRST + _EACH))


def free_port() -> int:
    """A port that is free now and that no other test of this run is given."""
    for port in itertools.islice(_ports, _EACH):
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port of {_FIRST} to {_FIRST + _EACH - 1} is free")
