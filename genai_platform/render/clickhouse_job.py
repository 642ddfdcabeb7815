"""The short job that asks ClickHouse something: nothing outside the cluster reaches it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from genai_platform.config.target import NAMESPACE
from genai_platform.render import langfuse, manifests
from genai_platform.render.manifests import Document

IMAGE = "public.ecr.aws/docker/library/python:3.12-alpine"
_HOSTS = {1: "langfuse-clickhouse", 2: "langfuse-clickhouse-headless"}
_REQUEST = """\
import json, os, sys, time, urllib.error, urllib.request

def request(query):
    asked = urllib.request.Request("http://" + os.environ["CLICKHOUSE_HOST"] + ":8123/", data=query.encode())
    asked.add_header("X-ClickHouse-User", "default")
    with open("/run/genai/clickhouse-password") as file:
        asked.add_header("X-ClickHouse-Key", file.read())
    return asked

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""


@dataclass(frozen=True)
class Limits:
    """What a Job may take.

    Attributes:
        retries: how often a failed run is repeated (``backoffLimit``).
        seconds: how long it may take with all its runs (``activeDeadlineSeconds``).
    """

    retries: int
    seconds: int


def job(
    name: str, *, purpose: str, script: str, line: Literal[1, 2], limits: Limits, variables: Mapping[str, str],
    password: str = "clickhouse-password",  # noqa: S107 - the name of a key
) -> Document:  # fmt: skip
    """The job's document. The password is a mounted file: it is in no command line and no variable.

    Args:
        purpose: the label ``app.kubernetes.io/name``.
        script: Python; it may use ``request(query)`` and ``opener``.
        line: the chart's.
        variables: the script's environment.
        password: the key of Langfuse's Secret that lies at ``/run/genai/KEY``.
    """
    (made,) = manifests.objects(
        "clickhouse-job",
        name=name,
        namespace=NAMESPACE,
        image=IMAGE,
        script=_REQUEST + script,
        host=_HOSTS[line],
        secret=langfuse.SECRET,
        password=password,
        purpose=purpose,
        tries=limits.retries,
        seconds=limits.seconds,
        variables=dict(variables),
    )
    return made
