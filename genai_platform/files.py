"""Files written whole or not at all: who reads one meanwhile finds the old content or the new one."""

from __future__ import annotations

import contextlib
import os
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
