"""The configuration as it is written, for shell completion: quick, and silent about what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from genai_platform.cli.worlds import environment
from genai_platform.config.layers import FILE, configured_layers, merge, merged, project_folder
from genai_platform.config.names import NAME
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    from genai_platform.cli.options import Options


def values(ctx: typer.Context) -> Mapping[str, Any]:
    """The values of all layers; empty where there is no configuration, or one that cannot be read."""
    options = _options(ctx)
    with suppress(ConfigError, OSError):
        project = project_folder()
        written = merged(configured_layers(project, environment(options), options.set))
        if options.sandbox:
            from genai_platform.cli.worlds.sandbox_defaults import defaults

            return merge(defaults(written), written)
        if (project / FILE).is_file():
            # An empty file is a configuration, too.
            return {"platform": {}, **written}
    return {}


def environments(ctx: typer.Context) -> list[str]:
    """The names for ``--env``: of the environments that have a file of settings or a state in this world."""
    with suppress(OSError):
        found = names(project_folder())
        if _options(ctx).sandbox:
            return [name.removeprefix("sandbox-") for name in found if name.startswith("sandbox-")]
        return [name for name in found if name != "sandbox" and not name.startswith("sandbox-")]
    return []


def names(project: Path) -> list[str]:
    """The environments, sandboxes among them, that have a file of settings or a state in a project's folder. Raises ``OSError``."""
    files = [path.name.removeprefix("genai.").removesuffix(".toml") for path in project.glob("genai.?*.toml")]
    folders = [path.name for path in (project / ".genai").glob("*") if path.is_dir()]
    return sorted({name for name in (*files, *folders) if re.fullmatch(NAME, name)})


def _options(ctx: typer.Context) -> Options:
    """The options before the word that is completed, as far as they choose the configuration."""
    from genai_platform.cli.options import Options

    levels: list[Mapping[str, Any]] = []
    level: Any = ctx
    while level is not None:
        levels.append(level.params)
        level = level.parent
    env = next((given["env"] for given in levels if given.get("env")), None)
    sets = tuple(text for given in reversed(levels) for text in given.get("set") or ())
    return Options(env=env, sandbox=any(given.get("sandbox") for given in levels), set=sets)
