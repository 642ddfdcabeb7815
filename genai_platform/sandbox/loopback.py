"""Keeps this process on this machine: while it works on a sandbox it opens no connection to anywhere else.

Python tells a hook of every connection before it is made, whichever library asks for it.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

from genai_platform.errors import StepError

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_installed = False
_closed = False


def close() -> None:
    """From now on only loopback addresses can be connected to, and no proxy is passed on to other programs."""
    global _installed, _closed
    for name in [name for name in os.environ if name.upper() in _PROXIES]:
        del os.environ[name]
    _closed = True
    if not _installed:
        # A hook cannot be taken out again, so there is one, and it asks.
        sys.addaudithook(_hear)
        _installed = True


def reopen() -> None:
    """Allow connections again: this process goes on to work on something else."""
    global _closed
    _closed = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _closed or event not in _EVENTS:
        return
    address = arguments[1]
    # Other families (Unix sockets, netlink) have other addresses and do not leave the machine.
    if isinstance(address, tuple) and len(address) >= 2 and isinstance(address[0], str) and not _here(address[0]):
        raise StepError(
            f"the sandbox does not connect to {address[0]}:{address[1]}: it works on this machine alone",
            remedy="name an address on this machine, or leave out --sandbox",
            id="sandbox.outside",
        )


def _here(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool(address.is_loopback or address.is_unspecified or (mapped is not None and mapped.is_loopback))
