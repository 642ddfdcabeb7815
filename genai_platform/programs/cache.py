"""One folder for what was fetched or built, shared by every environment of this user."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path


def cache_folder() -> Path:
    """``GENAI_CACHE_DIR``, or the user's cache folder of this platform. Made when missing."""
    chosen = os.environ.get("GENAI_CACHE_DIR")
    folder = Path(chosen).expanduser() if chosen else user_cache_path("genai")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name`` in the cache, made by ``make`` unless it is there.

    ``make`` fills an empty folder; it takes its final name only when ``make`` returns. Two processes that want the
    same thing at the same time make it once.
    """
    final = cache_folder() / name
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(final.name + ".lock")):
        if final.is_dir():
            return final
        draft = Path(tempfile.mkdtemp(prefix=final.name + ".", dir=final.parent))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return final
