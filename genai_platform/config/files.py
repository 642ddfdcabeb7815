"""Where the files that travel with the package lie: terraform/, manifests/, helm/, policies/."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(folder: Literal["terraform", "manifests", "helm", "policies"]) -> Path:
    """The folder as installed from the wheel, or as it lies in a checkout."""
    installed = _PACKAGE / "_files" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder
