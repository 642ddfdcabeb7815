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
    for section, name, value in (
        ("cloud", "name", CLOUD),
        ("core", "instance_discovery", "false"),
        ("core", "collect_telemetry", "false"),
        ("core", "login_experience_v2", "off"),
        ("auto-upgrade", "enable", "no"),
    ):
        if not general.has_section(section):
            general.add_section(section)
        general.set(section, name, value)
    clouds = configparser.ConfigParser(interpolation=None)
    clouds.read(folder / "clouds.config")
    clouds[CLOUD] = {**clouds[CLOUD]} if CLOUD in clouds else {}
    clouds[CLOUD].update({f"endpoint_{name}": value for name, value in endpoints(layout).items()})
    clouds[CLOUD].update({"suffix_keyvault_dns": f".vault.localhost:{layout.azure.ports['vault']}", "profile": "latest"})
    for name, document in (("config", general), ("clouds.config", clouds)):
        (folder / name).touch(mode=0o600)
        with (folder / name).open("w") as file:
            document.write(file)
    return folder


def endpoints(layout: SandboxLayout) -> dict[str, str]:
    """Where the services are, under the names that ``az cloud`` has for them."""
    arm = _local(layout, "arm")
    return {
        "resource_manager": arm,
        "management": "https://management.azure.com",
        "active_directory": _local(layout, "entra"),
        "active_directory_resource_id": "https://management.azure.com",
        "active_directory_graph_resource_id": "https://graph.microsoft.com",
        "microsoft_graph_resource_id": _local(layout, "graph"),
        "gallery": arm,
    }


def _local(layout: SandboxLayout, port: str) -> str:
    return f"https://localhost:{layout.azure.ports[port]}"
