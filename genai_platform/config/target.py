"""Which world a command works on: an environment, its settings, its endpoints and its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings

PREFIX_LENGTH = 36
"""Characters of the first part of every name: ElastiCache takes 40, and Terraform's roots add to it."""
NAMESPACE = "genai-platform"


@dataclass(frozen=True)
class Target:
    """Everything a step needs to know about where it works. Made once per command, by the command line."""

    environment: str
    """``default``, a name given with ``--env``, ``sandbox`` or ``sandbox-NAME``."""
    settings: Settings
    endpoints: Endpoints
    folder: Path
    """``.genai/ENVIRONMENT`` in the project folder, mode 0700: state, journal, lock, kubeconfig."""

    @property
    def prefix(self) -> str:
        """The first part of every name made in a cloud, e.g. ``genai`` or ``genai-sandbox``."""
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
