"""One sandbox for the whole session, driven through its command line as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests import schemas
from tests.end_to_end.looks import Looks

GENAI = Path(sys.executable).with_name("genai")
NAMESPACE = "genai-platform"
PACE = "0.005"
_OURS = ("GENAI_", "AWS_", "AZURE_", "KUBE", "OPENAI_", "LANGFUSE_", "LITELLM_")


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    command: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        if self.command[0] == str(GENAI):
            schemas.valid(self.command[1:], content)
        return content

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        """``verify``: the checks by their id."""
        return {check["id"]: check for check in self.document["checks"]}

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """``up``, ``patch``, ``status``: the steps by their id."""
        return {step["id"]: step for step in self.document["steps"]}

    def __str__(self) -> str:
        out, err = self.out[-6000:], self.err[-6000:]
        return f"{' '.join(self.command)}: exit code {self.code} after {self.seconds:.0f} s\n--- stdout\n{out}\n--- stderr\n{err}"


def execute(
    command: tuple[str, ...],
    folder: Path,
    environment: Mapping[str, str],
    *,
    code: int | None = 0,
    timeout: float = 500,
    text: str | None = None,
) -> Result:
    """Run a program and expect an exit code (``None``: any). Its output is in the assertion."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), input=text or "", capture_output=True, text=True, timeout=timeout, check=False
    )
    result = Result(command, done.returncode, done.stdout, done.stderr, time.monotonic() - began)
    assert code is None or result.code == code, str(result)
    return result


@dataclass
class Platform:
    """A folder with (or for) a sandbox, and the ways to talk to it. Making one starts nothing.

    ``sets`` are given to every command as ``--set``.
    """

    folder: Path
    sets: tuple[str, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)
    """Further variables for ``genai`` itself."""

    # -- genai ------------------------------------------------------------------------------------
    def run(
        self,
        *arguments: str,
        code: int | None = 0,
        json: bool = True,
        sandbox: bool = True,
        sets: tuple[str, ...] | None = None,
        timeout: float = 500,
        text: str | None = None,
    ) -> Result:
        """``genai ARGUMENTS --sandbox --json`` and the settings. ``sets`` takes the place of the platform's own."""
        options = [option for one in (self.sets if sets is None else sets) for option in ("--set", one)]
        options += ["--sandbox"] * sandbox + ["--json"] * json
        return execute(
            (str(GENAI), *arguments, *options), self.folder, clean_environment() | self.extra, code=code, timeout=timeout, text=text
        )  # fmt: skip

    def up(self, *arguments: str, **more: Any) -> Result:
        return self.run("up", "--yes", *arguments, **more)

    def down(self, **more: Any) -> Result:
        return self.run("down", "--yes", **more)

    def verify(self, *only: str, limit: float | None = None, code: int | None = 0, sets: tuple[str, ...] | None = None) -> Result:
        """The chosen checks; ``limit`` is the longest any of them may poll."""
        chosen = [option for one in only for option in ("--only", one)]
        return self.run("verify", *chosen, *([] if limit is None else ["--timeout", f"{limit:g}"]), code=code, sets=sets)

    # -- other people's clients ---------------------------------------------------------------------
    @cached_property
    def variables(self) -> dict[str, str]:
        """What ``genai sandbox env`` says."""
        found: dict[str, str] = self.run("sandbox", "env").document["variables"]
        return found

    def tool(self, *command: str, code: int | None = 0, text: str | None = None, timeout: float = 200) -> Result:
        """Any program with the sandbox's variables."""
        return execute(command, self.folder, clean_environment() | self.variables, code=code, text=text, timeout=timeout)

    def kubectl(self, *arguments: str, code: int | None = 0, text: str | None = None, timeout: float = 200) -> Result:
        """kubectl in the platform's namespace."""
        return self.tool("kubectl", "--namespace", NAMESPACE, *arguments, code=code, text=text, timeout=timeout)

    def objects(self, *arguments: str) -> dict[str, Any]:
        """``kubectl get ARGUMENTS`` as a document."""
        return self.kubectl("get", *arguments, "--output", "json").document

    def pods(self) -> dict[str, tuple[str, int]]:
        """Running pods: name → uid and restarts. Jobs' pods, which end, are left out."""
        found = {}
        for pod in self.objects("pods")["items"]:
            if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp"):
                restarts = sum(one["restartCount"] for one in pod["status"].get("containerStatuses", ()))
                found[pod["metadata"]["name"]] = (pod["metadata"]["uid"], restarts)
        return found

    def revision(self) -> int:
        """How often the one Helm release was installed or upgraded."""
        (release,) = json.loads(self.tool("helm", "list", "--namespace", NAMESPACE, "--output", "json").out)
        return int(release["revision"])

    def aws(self, service: str) -> Any:
        """A boto3 client of the sandbox's AWS."""
        import boto3

        found = self.variables
        return boto3.session.Session().client(
            service,
            region_name=found["AWS_REGION"],
            endpoint_url=found["AWS_ENDPOINT_URL"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            verify=found["SSL_CERT_FILE"],
        )

    def http(self, base_url: str, **more: Any) -> Any:
        """An httpx client that trusts what the sandbox's users trust."""
        import ssl

        import httpx

        return httpx.Client(
            base_url=base_url,
            verify=ssl.create_default_context(cafile=self.variables["SSL_CERT_FILE"]),
            trust_env=False,
            timeout=60,
            **more,
        )


def clean_environment() -> dict[str, str]:
    """This process's variables without anything that configures genai or names a cloud.

    The stand-ins are late here, too, only less than by default: Terraform's waits for the end of a deletion grow with it.
    """
    kept = ("GENAI_CACHE_DIR", "GENAI_SANDBOX_PACE")
    return {"GENAI_SANDBOX_PACE": PACE} | {name: value for name, value in os.environ.items() if name in kept or not name.startswith(_OURS)}


def wait_until(look: Callable[[], Any], what: str, limit: float = 60, interval: float = 0.5) -> Any:
    """Look until it gives something true; its last value is in the failure."""
    deadline = time.monotonic() + limit
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}; last seen: {found!r}"
        time.sleep(interval)


TWO_REGIONS = ("east.openai.azure.com", "west.openai.azure.com")
"""The accounts that share the load of the standing platform's ``gpt-4o-mini``."""
_MODELS = (
    ("gpt-4o-mini", "chat", TWO_REGIONS[0]),
    ("gpt-4o-mini", "chat", TWO_REGIONS[1]),
    ("gpt-4o", "chat", TWO_REGIONS[1]),
    ("text-embedding-3-small", "embedding", TWO_REGIONS[0]),
)
_MODEL = """[[litellm.models]]
name = "{0}"
azure_deployment = "{0}"
mode = "{1}"
api_base = "https://{2}"
api_version = "2025-04-01-preview"
"""
"""Of a version that has the responses API: a dated one answers 404 there, and LiteLLM lets the deployment rest."""


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that stands. Tests leave it as they found it, but for ``test_down.py``, which comes last.

    With ``GENAI_TEST_PLATFORM`` the one in that folder is used as it is, for whoever works on a test.
    """
    if standing := os.environ.get("GENAI_TEST_PLATFORM"):
        yield Platform(Path(standing))
        return
    made = Platform(tmp_path_factory.mktemp("platform"))
    models = "\n".join(_MODEL.format(*one) for one in _MODELS)
    (made.folder / "genai.toml").write_text(f'[litellm]\nsign_in = "entra"\n\n{models}')
    try:
        made.up()
        yield made
    finally:
        # No process stays behind. What ``down`` removed is not there any more, which is fine.
        made.run("sandbox", "remove", "--yes", code=None)


@pytest.fixture(scope="session")
def looks(platform: Platform) -> Looks:
    """Commands that only look at the session's platform, for all tests that read the same one."""
    return Looks(platform)
