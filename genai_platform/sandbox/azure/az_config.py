"""The Azure CLI on a sandbox: a configuration folder in which the sandbox is a cloud like Azure itself.

``az`` reads two files there (``config`` and ``clouds.config``); everything a person keeps in ``~/.azure`` stays out of it.
"""

from __future__ import annotations

import configparser
from pathlib import Path

from genai_platform.sandbox.layout import SandboxLayout

CLOUD = "GenaiSandbox"


def variables(layout: SandboxLayout, bundle: Path) -> dict[str, str]:
    """What ``az`` needs in its environment, with the cloud prepared.

    Args:
        bundle: the authorities to trust.
    """
    return {"AZURE_CONFIG_DIR": str(prepare(layout)), "REQUESTS_CA_BUNDLE": str(bundle), "AZURE_GRAPH_URL": _local(layout, "graph")}


def prepare(layout: SandboxLayout) -> Path:
    """The configuration folder with the cloud in it; who is signed in there stays so."""
    folder = layout.folder("azure") / "cli"
    folder.mkdir(mode=0o700, exist_ok=True)
    general = configparser.ConfigParser(interpolation=None)
    general.read(folder / "config")
    # No questions to Microsoft's list of its clouds, no usage reports, no search for a newer version.
    quiet = {"instance_discovery": "false", "collect_telemetry": "false", "login_experience_v2": "off"}
    general.read_dict({"cloud": {"name": CLOUD}, "core": quiet, "auto-upgrade": {"enable": "no"}})
    clouds = configparser.ConfigParser(interpolation=None)
    clouds.read(folder / "clouds.config")
    clouds.read_dict({CLOUD: _cloud(layout)})
    for name, document in (("config", general), ("clouds.config", clouds)):
        (folder / name).touch(mode=0o600)
        with (folder / name).open("w") as file:
            document.write(file)
    return folder


def _cloud(layout: SandboxLayout) -> dict[str, str]:
    """Where the services are, under the names that ``az cloud`` has for them."""
    arm = _local(layout, "arm")
    return {
        "endpoint_resource_manager": arm,
        "endpoint_management": "https://management.azure.com",
        "endpoint_active_directory": _local(layout, "entra"),
        "endpoint_active_directory_resource_id": "https://management.azure.com",
        "endpoint_active_directory_graph_resource_id": "https://graph.microsoft.com",
        "endpoint_microsoft_graph_resource_id": _local(layout, "graph"),
        "endpoint_gallery": arm,
        "suffix_keyvault_dns": f".vault.localhost:{layout.azure.ports['vault']}",
        "profile": "latest",
    }


def _local(layout: SandboxLayout, port: str) -> str:
    return f"https://localhost:{layout.azure.ports[port]}"
