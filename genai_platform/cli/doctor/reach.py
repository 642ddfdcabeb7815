"""Whether what a run talks to from this machine can be reached: name, TCP, TLS, and an HTTP answer, whatever it says."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from genai_platform.cli.doctor.line import Line
from genai_platform.config.azure_openai import models_of_account
from genai_platform.render.chart import chart_sources
from genai_platform.tools.parallel import gather

if TYPE_CHECKING:
    from genai_platform.steps.clients import Clients
    from genai_platform.tools.aws.client import Aws

_AWS = (
    "sts", "iam", "ec2", "eks", "s3", "rds", "elasticache", "secretsmanager", "acm", "elasticloadbalancing", "tagging", "servicequotas",
)  # fmt: skip
"""As the names of endpoints begin (AWS General Reference, service endpoints)."""
_TERRAFORM = ("https://registry.terraform.io", "https://releases.hashicorp.com")
_SECONDS = 6.0
_NETWORK = "check the network, and HTTPS_PROXY and NO_PROXY where a proxy is needed"
_TRUST = (
    "a proxy that opens TLS shows a certificate of its own: name its authority in SSL_CERT_FILE and AWS_CA_BUNDLE; "
    "check the clock, too, since a certificate counts for a time"
)


def look(clients: Clients) -> list[Line]:
    """One line for each group of addresses."""
    groups = addresses(clients)
    asked = sorted({url for urls in groups.values() for url in urls})
    faults = dict(zip(asked, gather(asked, _fault, at_once=16), strict=True))
    found = [_line(f"reach.{name}", urls, faults) for name, urls in groups.items() if urls]
    if not groups["terraform"]:
        found.append(Line("reach.terraform", "skip", "Terraform's own configuration says where its providers come from"))
    return found


def addresses(clients: Clients) -> dict[str, tuple[str, ...]]:
    """What a run talks to, by group: without a path, once each."""
    target, azure = clients.target, clients.target.endpoints.azure
    made = models_of_account(target.settings)  # its name resolves once it is there
    models = tuple(base for model in target.settings.litellm.models if model not in made and (base := getattr(model, "api_base", None)))
    found = {
        "aws": tuple(aws_endpoint(clients.aws, name) for name in _AWS),
        "terraform": () if _mirrored() else _TERRAFORM,
        "charts": tuple(source.place for source in chart_sources(target) if not source.local),
        "azure": (azure.authority, azure.arm, azure.graph) if target.settings.azure.enabled else (),
        "models": models,
    }
    return {name: tuple(dict.fromkeys(_root(url) for url in urls)) for name, urls in found.items()}


def aws_endpoint(aws: Aws, service: str) -> str:
    """The address of a service in the target's region."""
    if aws.target.endpoints.aws.url:
        return aws.target.endpoints.aws.url
    domain = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    if service == "iam":
        return {"aws": "https://iam.amazonaws.com", "aws-us-gov": "https://iam.us-gov.amazonaws.com"}.get(
            aws.partition, f"https://iam.{aws.region}.{domain}"
        )
    return f"https://{service}.{aws.region}.{domain}"


def _mirrored() -> bool:
    """Whether the person's own configuration says where Terraform finds providers: then the registry may not be needed."""
    return "TF_CLI_CONFIG_FILE" in os.environ or (Path.home() / ".terraformrc").exists()


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{'http' if parts.scheme == 'http' else 'https'}://{parts.netloc}"


def _fault(url: str) -> tuple[str, str]:
    """What is wrong with the way to an address, and what to do; empty: it answers."""
    try:
        # The system's authorities, as the programs use them that a run starts.
        with httpx.Client(verify=ssl.create_default_context(), timeout=_SECONDS) as client:
            client.head(url)
    except httpx.ConnectTimeout:
        return "no connection within the time", _NETWORK
    except httpx.ProxyError as error:
        return f"the proxy refuses: {error}", _NETWORK
    except httpx.HTTPError as error:
        if _not_trusted(error):
            return f"its certificate is not trusted: {error}", _TRUST
        return str(error) or type(error).__name__, _NETWORK
    return "", ""


def _not_trusted(error: BaseException | None) -> bool:
    """Whether TLS failed because of the certificate: httpx wraps that."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _line(id: str, urls: tuple[str, ...], faults: Mapping[str, tuple[str, str]]) -> Line:
    broken = {url: faults[url] for url in urls if faults[url][0]}
    if not broken:
        return Line(id, "pass", f"reached: {', '.join(urlsplit(url).netloc for url in urls)}")
    hosts: dict[str, list[str]] = {}
    for url, (what, _) in broken.items():
        hosts.setdefault(what, []).append(urlsplit(url).netloc)
    said = "; ".join(f"{', '.join(names)}: {what}" for what, names in hosts.items())
    # Of a chart's two places one is enough, and a provider may be in Terraform's cache.
    spare = (id == "reach.charts" and len(broken) < len(urls)) or id == "reach.terraform"
    return Line(
        id, "warn" if spare else "fail", f"cannot be reached: {said}", "; ".join(dict.fromkeys(what for _, what in broken.values()))
    )
