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
    id: str = "infra.certificate"

    @property
    def _names(self) -> tuple[str, ...]:
        return names(self.clients)

    def _ours(self) -> list[Certificate]:
        """The certificates of this environment, the newest first."""
        return certificate.ours(self.clients.aws, self._names)

    def observe(self) -> Observation:
        what = f"certificate for {', '.join(self._names)}"
        ours = self._ours()
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
        if found.names != self._names:
            return f"it is for {', '.join(found.names)}, wanted is {', '.join(self._names)}"
        if found.days_left() < _ENOUGH:
            return f"it ends in {found.days_left():.0f} days"
        return ""

    @abstractmethod
    def apply(self, progress: Progress) -> str: ...

    def destroy(self, progress: Progress) -> str:
        ours, used = self._ours(), "the certificate is still in use by a load balancer"
        for found in ours:
            self._remove_proofs(_validation(found))
            wait_for(partial(self._deleted, found.arn), progress, lambda: used, self.limit, self.interval)
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()
        return "certificate deleted" if ours else "no certificate in ACM"

    def _deleted(self, arn: str) -> bool | None:
        return certificate.delete(self.clients.aws, arn) or None

    def _drop_earlier(self) -> None:
        """Delete what the newest replaces. What a load balancer still uses goes at the next run."""
        newest, *others = self._ours()
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
        if fault := super()._fault(found):
            return fault
        pair = _stored(self.clients.secrets())
        if pair is None:
            return "the key of its authority is not in Secrets Manager"
        if not self._file.is_file() or self._file.read_text() != pair.certificate:
            return "this machine does not have its authority's certificate"
        return ""

    def apply(self, progress: Progress) -> str:
        progress.say("making the certificate")
        self.clients.aws.update_secrets(self._with_authority)
        pair = _stored(self.clients.secrets())
        if pair is None:
            raise StepError("the authority was not stored", id="certificate.authority")
        found = certificate.find(self.clients.aws, self._names)
        if found is not None and not found.imported:
            found = None  # one of ACM's own cannot be replaced by an import
        if found is None or super()._fault(found):
            own = authority.issue(pair, self._names)
            made = certificate.bring_in(self.clients.aws, own, pair.certificate, found.arn if found else None)

            def listed() -> bool | None:
                return any(one.arn == made for one in self._ours()) or None

            # A certificate is listed a moment after it was made; a second run would otherwise bring in another.
            wait_for(listed, progress, lambda: "waiting until ACM lists the certificate", self.limit, self.interval)
        self._drop_earlier()
        write_private(self._file, pair.certificate)
        return f"imported into ACM for {', '.join(self._names)}"

    def _with_authority(self, stored: PlatformSecrets | None) -> PlatformSecrets:
        if stored is None:
            raise NeverBuilt("there are no secrets yet", remedy=run_genai("infra --only infra.secrets"), id="secrets.absent")
        pair = _stored(stored)
        if pair is not None and authority.usable(pair):
            return stored
        made = authority.make_authority(f"{self.clients.target.prefix} authority")
        return stored.model_copy(update={"ca_certificate": SecretStr(made.certificate), "ca_key": made.key})


def _stored(secrets: PlatformSecrets) -> authority.Pair | None:
    """The tool's own authority, where all of it is kept."""
    if secrets.ca_certificate is None or secrets.ca_key is None:
        return None
    return authority.Pair(secrets.ca_certificate.get_secret_value(), secrets.ca_key)


@dataclass(frozen=True)
class DomainCertificateStep(CertificateStep):
    """A certificate of ACM's, validated by records in Route 53."""

    minutes: float = 2

    def apply(self, progress: Progress) -> str:
        aws, domain = self.clients.aws, self.clients.target.settings.ingress.domain or ""
        zone = route53.zone_of(aws, domain)
        found = certificate.find(aws, self._names)
        if found is None or found.imported or found.names != self._names or found.status not in certificate.ALIVE:
            certificate.request(aws, self._names)
        status, written = "requested", False

        def look() -> bool | None:
            nonlocal status, written
            now = certificate.find(aws, self._names)
            if now is None or now.names != self._names:
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
        return f"issued by ACM for {', '.join(self._names)}"


def _validation(found: Certificate) -> list[Mapping[str, Any]]:
    """The records that prove the domain is ours."""
    options = found.details.get("DomainValidationOptions", [])
    records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"]["Value"] for option in options if option.get("ResourceRecord")}
    return [route53.cname(name, value) for name, value in sorted(records.items())]


def step(clients: Clients) -> CertificateStep:
    """The step for what is configured."""
    return DomainCertificateStep(clients) if clients.target.settings.ingress.domain else OwnCertificateStep(clients)
