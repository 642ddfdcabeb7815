"""The kubeconfig of this environment's cluster: a file whose user asks this program for a short-lived token."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from genai_platform.config.target import Target
from genai_platform.files import write_private


def document(target: Target, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """A kubeconfig for what EKS's ``DescribeCluster`` gave. It holds no credential."""
    name = str(cluster["name"])
    program = Path(sys.executable).with_name("genai")
    command = [str(program)] if program.exists() else [sys.executable, "-m", "genai_platform.cli.app"]
    arguments = [*command[1:], "kube-token", "--cluster", name, "--region", target.settings.platform.region]
    server = {"server": cluster["endpoint"], "certificate-authority-data": cluster["certificateAuthority"]["data"]}
    asked = {
        "apiVersion": "client.authentication.k8s.io/v1", "command": command[0], "args": arguments,
        "interactiveMode": "Never", "provideClusterInfo": False,
    }  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": server}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": {"exec": asked}}],
    }


def write(path: Path, content: Mapping[str, Any]) -> Path:
    """Write it with mode 0600, whole or not at all."""
    return write_private(path, yaml.safe_dump(dict(content), sort_keys=False))
