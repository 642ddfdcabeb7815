"""Files written whole or not at all: who reads one meanwhile finds the old content or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path


def write_private(path: Path, content: str | bytes) -> Path:
    """Write a file that only its owner may read (mode 0600), and its folder (0700) where that is missing.

    A file that has this content and mode already is left alone, with its time of change.

    Args:
        content: text is written as UTF-8.

    Returns:
        ``path``

    Raises:
        OSError: the file could not be written; the one before it is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    with contextlib.suppress(OSError):
        if path.read_bytes() == data and not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o600:
            return path
    # A name of its own for each writer: threads of one process share its number.
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return path


def rewrite(path: Path, content: bytes) -> None:
    """Write a file that is not this tool's alone: it keeps its permissions and, where the path is a link, the link.

    A file that has this content already is left alone, with its time of change. A new one gets the permissions that the
    process gives to new files.

    Raises:
        OSError: the file could not be written; the one before it is unchanged.
    """
    real = path.resolve()
    exists = real.exists()
    if exists and real.read_bytes() == content:
        return
    draft = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            if exists:
                shutil.copymode(real, draft)
            file.write(content)
        draft.replace(real)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
