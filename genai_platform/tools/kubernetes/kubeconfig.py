"""The kubeconfig of this environment's cluster: a file whose user asks this program for a short-lived token."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from genai_platform.config.target import Target


def document(target: Target, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """A kubeconfig for what EKS's ``DescribeCluster`` gave. It holds no credential."""
    name = str(cluster["name"])
    program = Path(sys.executable).with_name("genai")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "genai_platform.cli.app"]
    arguments = [*command[1:], "kube-token", "--cluster", name, "--region", target.settings.platform.region]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": cluster["endpoint"], "certificate-authority-data": cluster["certificateAuthority"]["data"]},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": command[0],
                        "args": arguments,
                        "interactiveMode": "Never",
                        "provideClusterInfo": False,
                    }
                },
            }
        ],
    }


def write(path: Path, content: Mapping[str, Any]) -> Path:
    """Write it with mode 0600, whole or not at all."""
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    text = yaml.safe_dump(dict(content), sort_keys=False)
    if path.exists() and path.read_text() == text:
        return path
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
    return path
