"""Free disk space: ``up`` refuses where there is too little, and keeps a reserve with which ``down`` works on a full disk."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from genai_platform.errors import MissingError

if TYPE_CHECKING:
    from genai_platform.ui.screen import Screen

MEGABYTE = 1 << 20
RESERVE = "reserve"
_RESERVED = 16 * MEGABYTE
"""The states, journal and kubeconfig of a platform are a few megabytes; Terraform writes a state and a backup of it."""


def refuse(folder: Path, wanted: int) -> None:
    """Raise ``MissingError`` where fewer bytes than ``wanted`` are free in the folder's file system."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(nearest).free
    # What is kept aside already is room for this run, too.
    if free + _size(folder / RESERVE) < wanted:
        raise MissingError(
            f"the file system of {nearest} has {free // MEGABYTE} MB free, and {wanted // MEGABYTE} MB are needed",
            remedy="make room there, or work in a folder on another file system",
            id="system.disk",
        )


def reserve(folder: Path) -> None:
    """Keep some room aside. What is written is random: a file system may store zeros as nothing."""
    path = folder / RESERVE
    if _size(path) == _RESERVED:
        return
    with contextlib.suppress(OSError), os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        for _ in range(_RESERVED // MEGABYTE):
            file.write(os.urandom(MEGABYTE))


def release(folder: Path, screen: Screen) -> None:
    """Give the room back where the disk is full, so that what is to be removed can be removed."""
    path = folder / RESERVE
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free >= _RESERVED:
        return
    held = _size(path)
    path.unlink(missing_ok=True)
    screen.warn(
        f"the file system of {folder} is full ({free // MEGABYTE} MB free)"
        + (f"; {held // MEGABYTE} MB that were kept aside for this are used now" if held else "")
        + "; Terraform must write its states there: where a step cannot, make room and run the same command again"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
