"""ACM: what was imported can be served, DNS validation looks at Route 53, and a certificate in use stays."""

from __future__ import annotations

from typing import Any

from moto.acm.models import AWSCertificateManagerBackend, CertBundle
from moto.core.exceptions import JsonRESTError
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn
from genai_platform.sandbox.ca import issue


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's ACM."""
    imported, deleted = AWSCertificateManagerBackend.import_certificate, AWSCertificateManagerBackend.delete_certificate
    described, expired = CertBundle.describe, CertBundle.check

    def import_certificate(self: Any, certificate: bytes, private_key: bytes, chain: bytes | None, arn: str | None, tags: Any) -> Any:
        known = self._certificates.get(arn) if arn else None
        made = imported(self, certificate, private_key, chain, arn, tags)
        bundle = self._certificates[made]
        bundle.own_chain = chain
        if known is not None and not tags:
            bundle.tags = known.tags
        return made

    def delete_certificate(self: Any, arn: str) -> Any:
        if _users(self.region_name, arn):
            raise JsonRESTError("ResourceInUseException", f"Certificate {arn} in account {ACCOUNT} is in use.")
        return deleted(self, arn)

    def generate_cert(
        cls: Any, domain_name: str, account_id: str, region: str, sans: list[str] | None = None, cert_authority_arn: str | None = None
    ) -> Any:
        names = [domain_name, *(name for name in sans or [] if name != domain_name)]
        files = issue(stand_in.layout, names)
        bundle = cls(
            account_id=account_id, region=region, certificate=files.cert.read_bytes(), private_key=files.key.read_bytes(),
            cert_type="AMAZON_ISSUED", cert_status="PENDING_VALIDATION", cert_authority_arn=cert_authority_arn,
        )  # fmt: skip
        bundle.common_name = domain_name
        return bundle

    def check(self: Any) -> None:
        if self.type == "AMAZON_ISSUED" and self.status == "PENDING_VALIDATION":
            if all(_recorded(option["ResourceRecord"]) for option in described(self)["Certificate"]["DomainValidationOptions"]):
                self.status = "ISSUED"
            return
        expired(self)

    def describe(self: Any) -> Any:
        document = described(self)
        document["Certificate"]["InUseBy"] = _users(self.arn.split(":")[3], self.arn)
        return document

    AWSCertificateManagerBackend.import_certificate = import_certificate
    AWSCertificateManagerBackend.delete_certificate = delete_certificate
    CertBundle.generate_cert = classmethod(generate_cert)
    CertBundle.check = check
    CertBundle.describe = describe


def _users(region: str, arn: str) -> list[str]:
    return [
        balancer.arn
        for balancer in elbv2_backends[ACCOUNT][region].load_balancers.values()
        for listener in balancer.listeners.values()
        if arn in str(listener.certificates) or arn == listener.certificate
    ]


def _recorded(wanted: dict[str, str]) -> bool:
    for zone in route53_backends[ACCOUNT]["aws"].zones.values():
        for record in zone.rrsets:
            if record.type == wanted["Type"] and record.name.rstrip(".") == wanted["Name"].rstrip("."):
                return any(
                    str(value.get("Value") if isinstance(value, dict) else value).rstrip(".") == wanted["Value"].rstrip(".")
                    for value in record.records
                )
    return False
