"""``genai kube-token``: what our kubeconfig calls for a short-lived token. Hidden: its output is for kubectl and libraries."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

Cluster = Annotated[str, typer.Option("--cluster", help="The EKS cluster's name.")]
Region = Annotated[str, typer.Option("--region", help="Its region.")]
app = typer.Typer()


@app.command("kube-token", hidden=True)
def kube_token(cluster: Cluster, region: Region) -> None:
    """Print an ExecCredential for the cluster."""
    from genai_platform.config.endpoints import Endpoints
    from genai_platform.config.settings import Platform, Settings
    from genai_platform.config.target import Target
    from genai_platform.errors import GenaiError
    from genai_platform.tools.aws.client import Aws

    target = Target("default", Settings(platform=Platform(region=region)), Endpoints(), Path.cwd())
    try:
        token = Aws(target).kube_token(cluster).get_secret_value()
    except GenaiError as error:
        print(f"error: {error.message}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    ends = datetime.now(UTC) + timedelta(minutes=14)
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "token": token},
    }
    print(json.dumps(credential))
