"""The client of the AWS API: service clients for one target, its secrets, its cluster's token."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

from genai_platform.advice import run_genai
from genai_platform.config.endpoints import is_loopback, refuse_loopback
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError, NeverBuilt, StepError
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.tools.aws.errors import explained, unless_absent

if TYPE_CHECKING:
    import boto3
    import botocore.session

_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""What child programs get of our environment where the clouds are not the real ones."""

_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""Zones where EKS puts no control plane; ``terraform/network`` leaves them out, too."""


def reveal(secrets: PlatformSecrets) -> dict[str, Any]:
    """The document Secrets Manager keeps. The only place where the values leave their wrapping."""

    def plain(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, datetime):
            return value.isoformat()
        if isinstance(value, BaseModel):
            return {name: plain(entry) for name, entry in value if entry is not None}
        return {name: plain(entry) for name, entry in value.items()} if isinstance(value, Mapping) else value

    return {name: plain(value) for name, value in secrets if value is not None}


class Aws:
    """AWS as one target sees it. Making it does no input or output; clients may be used by several threads."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.region = target.settings.platform.region
        self._lock = threading.RLock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._identity: dict[str, str] | None = None

    # -- clients ----------------------------------------------------------------------------------
    def client(self, name: str, region: str | None = None) -> Any:
        """A boto3 client with our endpoint, credentials, time limits and retries."""
        from botocore.config import Config

        key = (name, region or self.region)
        with self._lock:
            if key not in self._clients:
                real = self.target.endpoints.real
                config = Config(
                    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 6}, proxies=None if real else {},
                    s3={"addressing_style": "auto" if real else "path"}, user_agent_extra="genai-platform",
                )  # fmt: skip
                with explained(f"use AWS {name}"):
                    made = self._boto3().client(name, region_name=key[1], endpoint_url=self.target.endpoints.aws.url, config=config)
                if real and is_loopback(made.meta.endpoint_url):
                    raise ConfigError(
                        f"the AWS profile sends {name} to this machine ({made.meta.endpoint_url}), and this is a run on the real clouds",
                        remedy="remove endpoint_url from that profile, or choose another one",
                        id="target.loopback",
                    )
                self._clients[key] = made
            return self._clients[key]

    def _boto3(self) -> boto3.Session:
        import boto3

        world = self.target.endpoints.aws
        if self._session is None and self.target.endpoints.real:
            refuse_loopback(os.environ)
            self._session = boto3.Session(region_name=self.region)
        elif self._session is None:
            self._session = boto3.Session(
                aws_access_key_id=world.access_key_id, aws_secret_access_key=world.secret_access_key,
                aws_session_token=world.session_token, region_name=self.region, botocore_session=_without_files(),
            )  # fmt: skip
        return self._session

    def sharing(self, target: Target) -> Aws:
        """The client for another target of the same account, with the same session: nobody signs in twice."""
        other = Aws(target)
        other._session, other._lock, other._clients = self._boto3(), self._lock, self._clients
        return other

    def environment(self) -> dict[str, str]:
        """The environment for programs that talk to AWS: the person's own, or only ours where AWS is not the real one."""
        world = self.target.endpoints
        if world.real:
            refuse_loopback(os.environ)
            base = dict(os.environ)
        else:
            base = {name: os.environ[name] for name in _KEPT if name in os.environ}
            base |= {
                "AWS_ENDPOINT_URL": world.aws.url or "",
                "AWS_ACCESS_KEY_ID": world.aws.access_key_id or "",
                "AWS_SECRET_ACCESS_KEY": world.aws.secret_access_key or "",
                **({"AWS_SESSION_TOKEN": world.aws.session_token} if world.aws.session_token else {}),
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "*",
            }
        return base | {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region, "AWS_PAGER": ""} | world.environment_variables

    @property
    def partition(self) -> str:
        """Which of AWS's worlds the region belongs to, as ARNs say it."""
        return "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    # -- who and where ----------------------------------------------------------------------------
    def identity(self) -> dict[str, str]:
        """``Account`` and ``Arn`` of the credentials in use."""
        with self._lock:
            if self._identity is None:
                with explained("ask AWS whose credentials these are"):
                    answer = self.client("sts").get_caller_identity()
                self._identity = {"Account": answer["Account"], "Arn": answer["Arn"]}
            return self._identity

    def credentials_end(self) -> datetime | None:
        """When the credentials in use end and cannot be had again without a person; None: they do not, or nobody can know.

        Variables of a shell with ``AWS_CREDENTIAL_EXPIRATION`` end so, and a sign-in of IAM Identity Center that cannot be renewed.
        Other profiles (roles, programs) and machines' own roles are asked for new ones by botocore and by Terraform.
        """
        from genai_platform.tools.aws.sso import token_end

        with explained("read the AWS credentials"):
            held = self._boto3().get_credentials()
            if held is not None and held.method == "sso":
                return token_end(self._boto3().profile_name)
        end = getattr(held, "_expiry_time", None)
        return end if held is not None and held.method == "env" and isinstance(end, datetime) else None

    def account_id(self) -> str:
        """The account of the credentials in use."""
        return self.identity()["Account"]

    def confirm_account(self) -> str:
        """The account, when it is the one the environment is pinned to.

        Raises:
            ConfigError: the credentials belong to another account.
        """
        pinned, found = self.target.settings.aws.account_id, self.account_id()
        if pinned is not None and pinned != found:
            raise ConfigError(
                f"the environment '{self.target.environment}' belongs to account {pinned}, but the credentials belong to {found}",
                remedy="sign in to the right account, or correct aws.account_id",
                id="aws.account",
            )
        return found

    def zones(self) -> list[str]:
        """The region's availability zones that need no opting in and that EKS can use."""
        with explained("list the region's zones"):
            answer = self.client("ec2").describe_availability_zones(Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}])
        return sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"] if zone.get("ZoneId") not in _WITHOUT_EKS)

    def my_address(self) -> str:
        """The address this command comes from, as a network of one, e.g. ``203.0.113.7/32``."""
        import httpx

        url = self.target.endpoints.aws.checkip
        try:
            answer = httpx.get(url, timeout=10, trust_env=self.target.endpoints.real, follow_redirects=True)
            answer.raise_for_status()
            address = ipaddress.ip_address(answer.text.strip())
        except (httpx.HTTPError, ValueError) as error:
            raise StepError(
                f"could not find out this machine's public address: {url} gave no address ({type(error).__name__})",
                remedy="set ingress.allowed_cidrs",
                id="aws.checkip",
            ) from None
        return f"{address}/{address.max_prefixlen}"

    # -- the cluster ------------------------------------------------------------------------------
    def describe_cluster(self, name: str) -> dict[str, Any] | None:
        """What EKS says about a cluster; None when it says there is none."""
        with explained(f"look at the cluster {name}"):
            answer = unless_absent(self.client("eks").describe_cluster, name=name)
        return answer["cluster"] if answer else None

    def kube_token(self, cluster: str) -> SecretStr:
        """A bearer token for the cluster's API: a presigned question of who we are, good for a quarter of an hour."""
        from botocore.exceptions import NoCredentialsError
        from botocore.signers import RequestSigner

        with explained("sign a token for the cluster"):
            sts, session = self.client("sts"), self._boto3()
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            signer = RequestSigner(sts.meta.service_model.service_id, self.region, "sts", "v4", credentials, session.events)
            # The region's own, also where `sts_regional_endpoints = legacy` would choose the global one: it signs for us-east-1.
            real = f"https://sts.{self.region}.{'amazonaws.com.cn' if self.partition == 'aws-cn' else 'amazonaws.com'}"
            address = (self.target.endpoints.aws.url or real).rstrip("/")
            question = {
                "method": "GET", "url": f"{address}/?Action=GetCallerIdentity&Version=2011-06-15", "body": {},
                "headers": {"x-k8s-aws-id": cluster}, "context": {},
            }  # fmt: skip
            signed = signer.generate_presigned_url(question, region_name=self.region, expires_in=60, operation_name="")
        return SecretStr("k8s-aws-v1." + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("="))

    # -- secrets ----------------------------------------------------------------------------------
    @property
    def secret_name(self) -> str:
        """The one secret of the environment."""
        return f"{self.target.prefix}/platform"

    def secret_document(self) -> dict[str, Any] | None:
        """The stored document as it is; None when there is no secret or it has no value yet."""
        with explained(f"read the secret {self.secret_name}"):
            answer = unless_absent(self.client("secretsmanager").get_secret_value, SecretId=self.secret_name)
        if answer is None:
            return None
        with contextlib.suppress(ValueError):
            document = json.loads(answer["SecretString"])
            if isinstance(document, dict):
                return document
        raise StepError(
            f"the secret {self.secret_name} is not a JSON document",
            remedy="restore an earlier version of it in Secrets Manager, or delete it",
            id="secrets.unreadable",
        )

    def platform_secrets(self) -> PlatformSecrets | None:
        """The platform's secrets; None when they were not made yet."""
        document = self.secret_document()
        return None if document is None else _parse(self.secret_name, document)

    def update_secrets(self, change: Callable[[PlatformSecrets | None], PlatformSecrets], *, fix: bool = False) -> bool:
        """Change the stored secrets; entries this version does not know are kept. Answers whether anything was written.

        Args:
            change: gets what is stored, gives what shall be.
            fix: make up entries that are missing in what is stored.

        Raises:
            StepError: the container is missing, or Secrets Manager could not be reached.
        """
        with self._lock:
            stored = self.secret_document()
            after = {**(stored or {}), **reveal(change(None if stored is None else _parse(self.secret_name, stored, fix=fix)))}
            if after == stored:
                return False
            client = self.client("secretsmanager")
            with explained(f"store the secret {self.secret_name}"):
                try:
                    client.put_secret_value(SecretId=self.secret_name, SecretString=json.dumps(after))
                except client.exceptions.ResourceNotFoundException:
                    raise NeverBuilt(
                        f"the secret {self.secret_name} does not exist", remedy=run_genai("infra --only infra.storage"), id="secrets.absent"
                    ) from None
            return True


def _parse(name: str, document: Mapping[str, Any], *, fix: bool = False) -> PlatformSecrets:
    missing = [field for field, info in PlatformSecrets.model_fields.items() if info.default_factory is not None and field not in document]
    if missing and not fix:
        # Made up here, they would be others at the next look.
        raise StepError(
            f"the secret {name} lacks {', '.join(missing)}", remedy=run_genai("infra --only infra.secrets"), id="secrets.incomplete"
        )
    try:
        return PlatformSecrets.model_validate(document)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise StepError(f"the secret {name} has entries of the wrong type: {names}", id="secrets.unreadable") from None


def _without_files() -> botocore.session.Session:
    """A session that reads neither the person's profiles nor their credentials."""
    from botocore.session import Session

    nothing = (None, None, os.devnull, None)
    return Session(session_vars={"profile": (None, None, None, None), "config_file": nothing, "credentials_file": nothing})
