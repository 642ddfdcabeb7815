"""Which world a command works on: an environment, its settings, its endpoints and its folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings

PREFIX_LENGTH = 36
"""Characters of the first part of every name: ElastiCache takes 40, and Terraform's roots add to it."""
NAMESPACE = "genai-platform"


@dataclass(frozen=True)
class Target:
    """Everything a step needs to know about where it works. Made once per command, by the command line."""

    environment: str
    """``default``, or the name of another one; it is the folder of its files, and part of every name made in a cloud."""
    settings: Settings
    endpoints: Endpoints
    folder: Path
    """``.genai/ENVIRONMENT`` in the project folder, mode 0700: state, journal, lock, kubeconfig."""

    def having(self, table: str, **values: Any) -> Target:
        """The same with other values in one table of its settings, e.g. ``having("platform", region="eu-west-1")``. Not validated."""
        changed = getattr(self.settings, table).model_copy(update=values)
        return replace(self, settings=self.settings.model_copy(update={table: changed}))

    @property
    def prefix(self) -> str:
        """The first part of every name made in a cloud, e.g. ``genai`` or ``genai-dev``."""
        name = self.settings.platform.name
        return name if self.environment == "default" else f"{name}-{self.environment}"

    @property
    def resource_group(self) -> str:
        """The Azure resource group everything lies in."""
        return self.settings.azure.resource_group or self.prefix

    @property
    def tags(self) -> dict[str, str]:
        """Tags carried by everything Terraform and the AWS client make."""
        return {"genai:platform": self.settings.platform.name, "genai:environment": self.environment}
