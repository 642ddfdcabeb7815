"""The step that gets the load balancer a certificate: one the tool makes, or one of ACM's for a domain."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from genai_platform.advice import run_genai
from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import ConfigError, NeverBuilt, StepError
from genai_platform.files import write_private
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps.clients import Clients
from genai_platform.tools import authority
from genai_platform.tools.aws import certificate, route53
from genai_platform.tools.aws.certificate import Certificate
from genai_platform.tools.wait import wait_for

_ENOUGH = 15
"""Days a certificate must still be valid to be left alone."""


def certificate_arn(clients: Clients) -> str | None:
    """The certificate for the load balancer; None with ``ingress.tls = "none"``. Raises ``StepError`` when it is missing."""
    if clients.target.settings.ingress.tls == "none":
        return None
    found = certificate.find(clients.aws, names(clients))
    if found is None:
        raise NeverBuilt("there is no certificate in ACM yet", remedy=run_genai("infra --only infra.certificate"), id="certificate.absent")
    return found.arn


def names(clients: Clients) -> tuple[str, ...]:
    """The names the certificate is for."""
    settings = clients.target.settings
    if settings.ingress.domain:
        return tuple(sorted(f"{host}.{settings.ingress.domain}" for host in ("litellm", "langfuse")))
    return tuple(sorted({f"*.{settings.platform.region}.elb.amazonaws.com", *clients.target.endpoints.load_balancer_names}))


@dataclass(frozen=True)
class CertificateStep(ABC):
    """What both kinds have in common."""

    clients: Clients
    needs: tuple[str, ...] = ("infra.secrets",)
    minutes: float = 0.2
    limit: float = 1800
    interval: float = 5

    @property
    def id(self) -> str:
        return "infra.certificate"

    def observe(self) -> Observation:
        what = f"certificate for {', '.join(names(self.clients))}"
        ours = certificate.ours(self.clients.aws, names(self.clients))
        if not ours:
            return absent("no certificate in ACM").with_change(what)
        found, *earlier = ours
        with unknown_if_never_built():
            fault = self._fault(found) or (f"an earlier one for {', '.join(earlier[0].names)} is still there" if earlier else "")
        if fault:
            return drifted(fault).with_change(what)
        return present(f"for {', '.join(found.names)}, {found.days_left():.0f} days left")

    def _fault(self, found: Certificate) -> str:
        """What is wrong with it; empty: nothing."""
        if found.status != "ISSUED":
            return f"its status is {found.status}"
        if found.names != names(self.clients):
            return f"it is for {', '.join(found.names)}, wanted is {', '.join(names(self.clients))}"
        if found.days_left() < _ENOUGH:
            return f"it ends in {found.days_left():.0f} days"
        return ""

    @abstractmethod
    def apply(self, progress: Progress) -> str: ...

    def destroy(self, progress: Progress) -> str:
        ours = certificate.ours(self.clients.aws, names(self.clients))
        for found in ours:
            self._remove_proofs(_validation(found))
            wait_for(
                partial(self._deleted, found.arn),
                progress,
                lambda: "the certificate is still in use by a load balancer",
                self.limit,
                self.interval,
            )
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
        return "certificate deleted" if ours else "no certificate in ACM"

    def _listed(self, arn: str) -> bool | None:
        return any(one.arn == arn for one in certificate.ours(self.clients.aws, names(self.clients))) or None

    def _deleted(self, arn: str) -> bool | None:
        return certificate.delete(self.clients.aws, arn) or None

    def _drop_earlier(self) -> None:
        """Delete what the newest replaces. What a load balancer still uses goes at the next run."""
        newest, *others = certificate.ours(self.clients.aws, names(self.clients))
        for earlier in others:
            if certificate.delete(self.clients.aws, earlier.arn):
                # For the same domain ACM asks for the same proof again, and looks for it at every renewal.
                self._remove_proofs([record for record in _validation(earlier) if record not in _validation(newest)])

    def _remove_proofs(self, records: list[Mapping[str, Any]]) -> None:
        for record in records:
            # Where the zone went before, its records went with it.
            with contextlib.suppress(ConfigError):
                zone = route53.zone_of(self.clients.aws, str(record["Name"]).rstrip("."))
                route53.change(self.clients.aws, zone, "DELETE", [record])

    @property
    def _file(self) -> Path:
        """The certificate of our own authority, which our commands trust."""
        return self.clients.target.folder / "ca.pem"


@dataclass(frozen=True)
class OwnCertificateStep(CertificateStep):
    """A certificate of the tool's own authority, which its commands trust: encrypted, not authenticated by name."""

    def _fault(self, found: Certificate) -> str:
        fault = super()._fault(found)
        if fault:
            return fault
        secrets = self.clients.secrets()
        if secrets.ca_certificate is None or secrets.ca_key is None:
            return "the key of its authority is not in Secrets Manager"
        if not self._file.is_file() or self._file.read_text() != secrets.ca_certificate.get_secret_value():
            return "this machine does not have its authority's certificate"
        return ""

    def apply(self, progress: Progress) -> str:
        progress.say("making the certificate")
        self.clients.aws.update_secrets(self._with_authority)
        secrets = self.clients.secrets()
        if secrets.ca_certificate is None or secrets.ca_key is None:
            raise StepError("the authority was not stored", id="certificate.authority")
        pair = authority.Pair(secrets.ca_certificate.get_secret_value(), secrets.ca_key)
        found = certificate.find(self.clients.aws, names(self.clients))
        if found is not None and not found.imported:
            found = None  # one of ACM's own cannot be replaced by an import
        if found is None or super()._fault(found):
            made = certificate.bring_in(
                self.clients.aws, authority.issue(pair, names(self.clients)), pair.certificate, found.arn if found else None
            )
            # A certificate is listed a moment after it was made; a second run would otherwise bring in another.
            wait_for(partial(self._listed, made), progress, lambda: "waiting until ACM lists the certificate", self.limit, self.interval)
        self._drop_earlier()
        write_private(self._file, pair.certificate)
        return f"imported into ACM for {', '.join(names(self.clients))}"

    def _with_authority(self, stored: PlatformSecrets | None) -> PlatformSecrets:
        if stored is None:
            raise NeverBuilt("there are no secrets yet", remedy=run_genai("infra --only infra.secrets"), id="secrets.absent")
        if (
            stored.ca_certificate
            and stored.ca_key
            and authority.usable(authority.Pair(stored.ca_certificate.get_secret_value(), stored.ca_key))
        ):
            return stored
        made = authority.make_authority(f"{self.clients.target.prefix} authority")
        return stored.model_copy(update={"ca_certificate": SecretStr(made.certificate), "ca_key": made.key})


@dataclass(frozen=True)
class DomainCertificateStep(CertificateStep):
    """A certificate of ACM's, validated by records in Route 53."""

    minutes: float = 2

    def apply(self, progress: Progress) -> str:
        aws = self.clients.aws
        domain = self.clients.target.settings.ingress.domain or ""
        zone = route53.zone_of(aws, domain)
        found = certificate.find(aws, names(self.clients))
        if found is None or found.imported or found.names != names(self.clients) or found.status not in certificate.ALIVE:
            certificate.request(aws, names(self.clients))
        status, written = "requested", False

        def look() -> bool | None:
            nonlocal status, written
            now = certificate.find(aws, names(self.clients))
            if now is None or now.names != names(self.clients):
                return None
            status = now.status
            if status in {"FAILED", "VALIDATION_TIMED_OUT", "REVOKED"}:
                raise StepError(f"ACM gave no certificate for {domain}: {status}", id="certificate.refused")
            records = _validation(now)
            if records and not written:
                route53.change(aws, zone, "UPSERT", records)
                written = True
            return True if status == "ISSUED" else None

        wait_for(look, progress, lambda: f"certificate for {domain}: {status}", self.limit, self.interval)
        self._drop_earlier()
        return f"issued by ACM for {', '.join(names(self.clients))}"


def _validation(found: Certificate) -> list[Mapping[str, Any]]:
    """The records that prove the domain is ours."""
    options = found.details.get("DomainValidationOptions", [])
    records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"]["Value"] for option in options if option.get("ResourceRecord")}
    return [route53.cname(name, value) for name, value in sorted(records.items())]


def step(clients: Clients) -> CertificateStep:
    """The step for what is configured."""
    return DomainCertificateStep(clients) if clients.target.settings.ingress.domain else OwnCertificateStep(clients)
