"""A whole sandbox in one file, and back: AWS state, etcd, data folders and Terraform state.

Everything lies at rest while it is copied: a running sandbox is stopped for the moment of the copy and started again.
A restored copy has the same addresses and ports, since states of all kinds mention them; only one of the two can run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
import urllib.request
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from genai_platform.advice import advice, genai
from genai_platform.engine.step import Progress
from genai_platform.errors import ConfigError, MissingError
from genai_platform.sandbox import processes, supervisor
from genai_platform.sandbox.layout import SandboxLayout, claim_network
from genai_platform.sandbox.parts import PartSpec

_SCHEMA = 1
_HEAD = "sandbox.json"
_WORLD, _TARGET = "world", "target"
# What belongs to running processes and commands, not to the state.
_NOT_SAVED = frozenset({"run", "logs"})


def save(layout: SandboxLayout, target_folder: Path, file: Path, progress: Progress, plan: Sequence[PartSpec] | None = None) -> Path:
    """Write the sandbox into ``file`` (tar, mode 0600), replacing it. A running one is stopped meanwhile.

    Args:
        target_folder: ``.genai/ENVIRONMENT``: Terraform's state and what else the product keeps there.
    """
    _flush_aws(layout)
    temporary = file.with_name(f".{file.name}.new")
    progress.say("stopping the sandbox for the copy")
    with supervisor.halted(layout, progress, plan):
        progress.say(f"writing {file}")
        try:
            with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as opened:
                with tarfile.open(fileobj=opened, mode="w") as archive:
                    _add_head(archive, layout)
                    archive.add(layout.root, _WORLD, filter=_without(lambda top: top in _NOT_SAVED, _WORLD))
                    if target_folder.is_dir():
                        inside = layout.root.relative_to(target_folder).parts[0] if layout.root.is_relative_to(target_folder) else None
                        archive.add(target_folder, _TARGET, filter=_without(lambda top: top == inside, _TARGET))
                opened.flush()
                os.fsync(opened.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        progress.say("starting the sandbox again")
    return file


def restore(file: Path, place_root: Path, target_folder: Path, progress: Progress, plan: Sequence[PartSpec] | None = None) -> SandboxLayout:
    """Make a sandbox from ``file`` in a folder where there is none, and start it.

    Raises:
        ConfigError: the file is not a saved sandbox, or there is a sandbox already.
        MissingError: its addresses or ports are in use, e.g. by the sandbox it was saved from. Nothing was made then.
    """
    place_root = place_root.absolute()
    if place_root.exists():
        remedy = advice("remove it first: {}", genai("sandbox remove"))
        raise ConfigError(f"there is a sandbox in {place_root} already", remedy=remedy, id="sandbox.exists")
    head = _head(file)
    if target_folder.name != head["environment"]:
        raise ConfigError(
            f"{file} holds the sandbox '{head['environment']}'; names in its world are made of that, "
            f"so it cannot become '{target_folder.name}'",
            remedy=f"restore it as '{head['environment']}', in another project folder when there is one here",
            id="sandbox.name",
        )
    claim_network(place_root, head["network"], lambda holder: supervisor.running(SandboxLayout.open(holder)))
    for name, number in head["ports"].items():
        holder = processes.port_holder(number)
        if holder is not None:
            raise MissingError(
                f"port {number} ('{name}') of the saved sandbox is taken by {holder}",
                remedy="stop that program; it may be the sandbox that was saved",
                id="sandbox.port_taken",
            )
    progress.say(f"reading {file}")
    unpacked = place_root.with_name(f".{place_root.name}.restoring")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True, mode=0o700)
    try:
        with tarfile.open(file) as archive:
            archive.extractall(unpacked, filter="tar", numeric_owner=True)
        place_root.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        if (unpacked / _TARGET).is_dir():
            shutil.copytree(unpacked / _TARGET, target_folder, symlinks=True, dirs_exist_ok=True)
        (unpacked / _WORLD).replace(place_root)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    layout = SandboxLayout.open(place_root)
    supervisor.start(layout, progress, plan)
    return layout


def _add_head(archive: tarfile.TarFile, layout: SandboxLayout) -> None:
    document = {"schema": _SCHEMA, "environment": layout.environment, "network": layout.network, "ports": dict(layout.ports)}
    text = json.dumps(document).encode()
    member = tarfile.TarInfo(_HEAD)
    member.size, member.mode = len(text), 0o600
    archive.addfile(member, BytesIO(text))


def _head(file: Path) -> dict[str, Any]:
    try:
        with tarfile.open(file) as archive:
            first = archive.next()
            content = archive.extractfile(first) if first is not None and first.name == _HEAD else None
            document = json.loads(content.read()) if content is not None else None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}", id="sandbox.archive") from None
    except (tarfile.TarError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        remedy = advice("give a file that `{}` wrote", genai("sandbox save"))
        raise ConfigError(f"{file} is not a saved sandbox", remedy=remedy, id="sandbox.archive")
    return document


def _without(left_out: Callable[[str], bool], root: str) -> Callable[[tarfile.TarInfo], tarfile.TarInfo | None]:
    """Leave out top-level entries of a tree, and its locks."""

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        top, _, below = member.name.removeprefix(root).lstrip("/").partition("/")
        return None if top and (left_out(top) or (not below and top.endswith(".lock"))) else member

    return keep


def _flush_aws(layout: SandboxLayout) -> None:
    """Ask the AWS stand-in to write its state. Stopping it does the same, so it does not matter when it does not answer."""
    from genai_platform.sandbox.aws.identity import control_key

    request = urllib.request.Request(layout.url("aws") + "/_sandbox/save", method="POST")  # noqa: S310 - our own loopback address
    request.add_header("Authorization", f"Bearer {control_key(layout)}")
    with contextlib.suppress(OSError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()
