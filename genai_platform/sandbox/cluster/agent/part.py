"""The node agent as a part of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from genai_platform.sandbox import ca
from genai_platform.sandbox.cluster.agent.context import NODE, NODE_ADDRESS
from genai_platform.sandbox.cluster.control_plane import API_SERVER, get
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.part import PartStatus, PythonPart


class NodeAgent(PythonPart):
    """Started after the control plane and the AWS stand-in; ready when its kubelet API answers."""

    module = "genai_platform.sandbox.cluster.agent.agent"
    name = "node-agent"
    version = "1"
    port = "kubelet"

    def prepare(self, layout: SandboxLayout) -> None:
        ca.issue(layout, [NODE, "localhost", NODE_ADDRESS])
        ca.issue_user(layout, *API_SERVER)
        for name in ("pods", "volumes", "hosts.d"):
            layout.folder(name)

    def ready(self, layout: SandboxLayout) -> bool:
        return get(layout, "kubelet", "/healthz", API_SERVER)[0] == 200


def rows(layout: SandboxLayout) -> Iterator[PartStatus]:
    """What the agent runs in place of containers, as it wrote it down."""
    try:
        listed = json.loads((layout.root / "pods.json").read_text())
    except (OSError, ValueError):
        return
    for row in listed:
        state: Literal["running", "stopped"] = "running" if row["state"] == "running" else "stopped"
        name = f"pod {row['namespace']}/{row['pod']} {row['container']}"
        yield PartStatus(name, row["kind"], row["version"] or row["image"].rpartition("/")[2], row["pid"], row.get("port"), state)


PART = NodeAgent()
