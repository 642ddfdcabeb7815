"""Where an environment's own files lie."""

from __future__ import annotations

from pathlib import Path

from genai_platform.errors import ConfigError


def state_path(project: Path, environment: str) -> Path:
    """``.genai/ENVIRONMENT``, whether or not it is there."""
    return project / ".genai" / environment


def state_folder(project: Path, environment: str) -> Path:
    """``.genai/ENVIRONMENT``, made when missing, for its owner only and unknown to git."""
    folder = state_path(project, environment)
    root = folder.parent
    root.mkdir(mode=0o700, exist_ok=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def require_folder(file: Path) -> None:
    """Refuse a ``--write FILE`` whose folder does not exist, before anything is done for it. Raises ``ConfigError``."""
    if not file.parent.is_dir():
        raise ConfigError(
            f"--write {file}: the folder {file.parent} does not exist", remedy="make it, or give another file", id="usage.folder"
        )
