"""What can be known to be wrong before anything is changed. Asked by every command that would change something."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genai_platform.errors import ConfigError, GenaiError, MissingError

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.graph.graph import Selection
    from genai_platform.steps.doors import Doors


def names(run: Run, only: Sequence[str], skip: Sequence[str]) -> None:
    """The steps that were named exist: known without looking at the world, and before a sandbox is started.

    Raises:
        ConfigError: a fault in the configuration, or an unknown step.
    """
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.layers import load
    from genai_platform.config.target import Target
    from genai_platform.steps.catalog import build
    from genai_platform.steps.doors import Doors

    settings = load(run.project, run.options.environment, sets=run.sets).settings
    build(Doors(Target(run.options.environment, settings, Endpoints(), run.project))).select(only, skip)


def world(run: Run, selection: Selection) -> None:
    """What only the world tells: the states, the region's zones, the models' keys.

    Raises:
        ConfigError: the region has fewer zones than the configuration asks for.
        MissingError: a state cannot be read, or a model has no key.
    """
    states(run.doors)
    if "infra.network" in selection.ids:
        zones(run.doors)
    if "infra.secrets" in selection.ids:
        keys(run.doors)


def states(doors: Doors) -> None:
    """Every state can be read. One that cannot is never taken for an empty one. Raises ``MissingError``."""
    from genai_platform.tools.terraform import ROOTS

    for root in ROOTS:
        try:
            doors.terraform.state.read(root)
        except GenaiError as error:
            if error.id == "terraform.state":
                raise MissingError(error.message, remedy=error.remedy, id=error.id) from None
            raise


def zones(doors: Doors) -> int:
    """How many zones the region has. Raises ``ConfigError`` when more are asked for."""
    settings = doors.target.settings
    found, wanted, region = doors.aws.zones(), settings.network.zones, settings.platform.region
    if len(found) < wanted:
        raise ConfigError(
            f"network.zones: {wanted} is not allowed; {region} has {len(found)} zones",
            remedy=f"set network.zones to {len(found)} or less",
            id="config.zones",
        )
    return len(found)


def keys(doors: Doors) -> None:
    """Every model's key is at hand, or was stored before. Raises ``MissingError``."""
    from genai_platform.steps.infra_secrets import missing_key, upstream_variables

    absent: Sequence[str] = [name for name in upstream_variables(doors) if not os.environ.get(name)]
    if not absent:
        return
    stored = (doors.aws.secret_document() or {}).get("upstream_keys") or {}
    for name in absent:
        if name not in stored:
            raise missing_key(doors, name)
