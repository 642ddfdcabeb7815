"""A sandbox AWS in a process of its own, talked to with boto3 as anyone would."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore.config import Config
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from genai_platform.sandbox import ca
from genai_platform.sandbox.aws.identity import ACCOUNT, administrator, control_key, issuer
from genai_platform.sandbox.aws.part import Aws
from genai_platform.sandbox.layout import SandboxLayout

REGION = "ap-northeast-1"
SIGNED = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})


class Cloud:
    """The running server and how to reach it."""

    def __init__(self, layout: SandboxLayout) -> None:
        self.layout = layout
        self.signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self.signer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (layout.folder("kubernetes") / "sa.pub").write_bytes(public)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        part = Aws()
        part.prepare(self.layout)
        self._process = subprocess.Popen([*part.argv(self.layout), "--without-engines"], stderr=(self.layout.root / "aws.log").open("ab"))
        for _ in range(300):
            if part.ready(self.layout):
                return
            time.sleep(0.1)
        raise AssertionError("the server did not answer")

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        key = administrator(self.layout)
        names = credentials or {"aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key}
        return boto3.Session().client(
            service,
            region_name=REGION,
            endpoint_url=self.layout.url("aws"),
            config=SIGNED.merge(Config(signature_version="s3v4")) if service == "s3" else SIGNED,
            **names,
        )

    def token(self, **claims: Any) -> str:
        """A projected service account token."""
        now, key = int(time.time()), claims.pop("key", self.signer)
        document = {
            "iss": issuer(self.layout), "aud": ["sts.amazonaws.com"], "sub": "system:serviceaccount:genai-platform:langfuse",
            "exp": now + 600, "iat": now,
        } | claims  # fmt: skip
        return jwt.encode(document, key, algorithm="RS256")

    def assume(self, role_arn: str, token: str) -> dict[str, str]:
        """Session credentials for the role, as boto3 takes them."""
        got = self.client("sts").assume_role_with_web_identity(RoleArn=role_arn, RoleSessionName="pod", WebIdentityToken=token)[
            "Credentials"
        ]
        return {
            "aws_access_key_id": got["AccessKeyId"], "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }  # fmt: skip

    def identity_provider(self) -> str:
        """The ARN of the cluster's identity provider; made when it is first asked for."""
        iam, url = self.client("iam"), issuer(self.layout)
        arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"
        if arn not in [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]:
            iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
        return arn

    def web_identity_role(self, name: str) -> str:
        """The ARN of a new role without a policy that any service account of the cluster may assume."""
        trust = {"Effect": "Allow", "Principal": {"Federated": self.identity_provider()}, "Action": "sts:AssumeRoleWithWebIdentity"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        return str(self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])

    def session(self, seconds: float = 3600, after: str = "") -> dict[str, str]:
        """The administrator's session credentials; they end after so many seconds, or with the first answer to an action."""
        body = json.dumps({"seconds": seconds, "after": after}).encode()
        headers = {"Authorization": f"Bearer {control_key(self.layout)}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.layout.url("aws") + "/_sandbox/sessions", body, headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            made: dict[str, str] = json.loads(answer.read())
        return made

    def get(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(self.layout.url("aws") + path, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="session")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Cloud]]:
    """Make a server; it ends with the session."""
    cache = tmp_path_factory.mktemp("cache")
    made: list[Cloud] = []

    def make() -> Cloud:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GENAI_CACHE_DIR", str(cache))
            layout = SandboxLayout.create(Path(tmp_path_factory.mktemp("place")) / "world", "sandbox-test", REGION)
        ca.authority(layout)
        made.append(Cloud(layout))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.stop()


@pytest.fixture(scope="session")
def cloud(new_cloud: Callable[[], Cloud]) -> Cloud:
    """One server for the tests that leave nothing others could trip over."""
    return new_cloud()
