"""Where Terraform finds its provider: a mirror on this machine when there is one, the registry otherwise.

Terraform itself looks into the mirror that the user's CLI configuration names and into its implied folders. What it does
not look into is a mirror one level below ``/opt``; for that one a CLI configuration is generated.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from genai_platform.files import write_private

_PROVIDER = Path("registry.terraform.io", "hashicorp", "aws")
_LOWEST, _BELOW = (5, 100, 0), (6, 0, 0)


def fitting(mirror: Path) -> bool:
    """Whether an unpacked mirror holds the AWS provider for this machine in a version the roots accept."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower(), "")
    here = f"{'darwin' if sys.platform == 'darwin' else 'linux'}_{machine}"
    try:
        versions = [entry.name for entry in (mirror / _PROVIDER).iterdir() if (entry / here).is_dir()]
    except OSError:
        return False
    return any(_LOWEST <= version < _BELOW for version in map(_version, versions))


def _version(text: str) -> tuple[int, ...]:
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0,)


def user_configuration(variables: Mapping[str, str]) -> Path | None:
    """The CLI configuration Terraform would read; None when there is none."""
    named = variables.get("TF_CLI_CONFIG_FILE") or variables.get("TERRAFORM_CONFIG")
    path = Path(named) if named else Path(variables.get("HOME") or Path.home(), ".terraformrc")
    return path if path.is_file() else None


def implied_folders(home: Path) -> Iterator[Path]:
    """Folders that Terraform takes for mirrors without being told."""
    yield home / ".terraform.d" / "plugins"
    if sys.platform == "darwin":
        yield home / "Library" / "Application Support" / "io.terraform" / "plugins"
    for share in (home / ".local" / "share", Path("/usr/local/share"), Path("/usr/share")):
        yield share / "terraform" / "plugins"


def below(folder: Path) -> Iterator[Path]:
    """The folders one level below, in name order."""
    try:
        yield from sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except OSError:
        return


def configuration(text: str, mirror: Path) -> str:
    """A CLI configuration: what the user's says, and the AWS provider from the mirror alone."""
    block = f"""provider_installation {{
  filesystem_mirror {{
    path    = {json.dumps(str(mirror))}
    include = ["registry.terraform.io/hashicorp/aws"]
  }}
  direct {{
    exclude = ["registry.terraform.io/hashicorp/aws"]
  }}
}}
"""
    return f"{text.rstrip()}\n\n{block}" if text.strip() else block


def prepare(folder: Path, variables: Mapping[str, str], opt: Iterable[Path] | None = None) -> dict[str, str]:
    """Environment variables that lead Terraform to its provider, in addition to ``variables``.

    Args:
        folder: where a generated configuration is written.
        opt: where to look for an unpacked mirror, after Terraform's own places; default: the folders below ``/opt``.
    """
    own = user_configuration(variables)
    text = own.read_text(encoding="utf-8") if own else ""
    home = Path(variables.get("HOME") or Path.home())
    known = re.search(r"^\s*provider_installation\b", text, re.MULTILINE) or any(map(fitting, implied_folders(home)))
    mirror = None if known else next(filter(fitting, below(Path("/opt")) if opt is None else opt), None)
    if mirror is not None:
        own = write_private(folder / "cli.tfrc", configuration(text, mirror))
    # A variable that names a missing file only makes Terraform warn at every run: an empty one is ignored.
    return {"TF_CLI_CONFIG_FILE": str(own) if own else ""}
