"""The load balancer's certificate in ACM, found by its tags."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genai_platform.tools.authority import Pair
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained, unless_absent
from genai_platform.tools.aws.tags import carries, listed

_MARK = "genai:certificate"
ALIVE = frozenset({"ISSUED", "PENDING_VALIDATION"})
"""States of a certificate that is of use, or will be."""


@dataclass(frozen=True)
class Certificate:
    """What ACM says about it."""

    arn: str
    status: str
    names: tuple[str, ...]
    imported: bool
    ends: datetime.datetime | None
    details: Mapping[str, Any]

    def days_left(self) -> float:
        """Days until it ends; none when that is not known."""
        return (self.ends - datetime.datetime.now(datetime.UTC)).total_seconds() / 86400 if self.ends else 0.0


def ours(aws: Aws, names: Sequence[str] = ()) -> list[Certificate]:
    """This environment's certificates, those for exactly ``names`` (sorted) first. Raises ``StepError`` when they cannot be seen.

    There may be two: while a load balancer uses an earlier one, that cannot be deleted.
    """
    client = aws.client("acm")
    # By default ACM lists RSA certificates alone; ours has an elliptic curve key.
    kinds = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    found = []
    with explained("look for the certificate"):
        for page in client.get_paginator("list_certificates").paginate(Includes=kinds):
            for entry in page["CertificateSummaryList"]:
                arn = entry["CertificateArn"]
                try:
                    if carries(client.list_tags_for_certificate(CertificateArn=arn)["Tags"], _tags(aws)):
                        found.append(_read(client, arn))
                except client.exceptions.ResourceNotFoundException:
                    continue
    return sorted(
        found, key=lambda one: (one.names != tuple(names), one.status not in ALIVE, one.status != "ISSUED", -one.days_left(), one.arn)
    )


def find(aws: Aws, names: Sequence[str] = ()) -> Certificate | None:
    """The first of ``ours``; None when ACM has none with our tags."""
    return next(iter(ours(aws, names)), None)


def _read(client: Any, arn: str) -> Certificate:
    details = client.describe_certificate(CertificateArn=arn)["Certificate"]
    names = tuple(sorted({details["DomainName"], *details.get("SubjectAlternativeNames", [])}))
    return Certificate(arn, details["Status"], names, details.get("Type") == "IMPORTED", details.get("NotAfter"), details)


def bring_in(aws: Aws, pair: Pair, authority: str, replaces: str | None) -> str:
    """Import a certificate, in the place of an earlier one when there is one; answers its ARN."""
    client = aws.client("acm")
    # ACM takes tags with a new certificate only.
    extra: dict[str, Any] = {"CertificateArn": replaces} if replaces else {"Tags": listed(_tags(aws))}
    with explained("import the certificate into ACM"):
        key = pair.key.get_secret_value().encode()
        answer = client.import_certificate(
            Certificate=pair.certificate.encode(), PrivateKey=key, CertificateChain=authority.encode(), **extra
        )
    return str(answer["CertificateArn"])


def request(aws: Aws, names: Sequence[str]) -> str:
    """Ask ACM for a certificate that DNS records will validate; answers its ARN."""
    with explained("request the certificate from ACM"):
        answer = aws.client("acm").request_certificate(
            DomainName=names[0], SubjectAlternativeNames=list(names), ValidationMethod="DNS", Tags=listed(_tags(aws))
        )
    return str(answer["CertificateArn"])


def delete(aws: Aws, arn: str) -> bool:
    """Delete it; answers False while a load balancer still uses it. One that is gone is gone."""
    client = aws.client("acm")
    with explained("delete the certificate"):
        try:
            unless_absent(client.delete_certificate, CertificateArn=arn)
        except client.exceptions.ResourceInUseException:
            return False
    return True


def _tags(aws: Aws) -> dict[str, str]:
    return {**aws.target.tags, _MARK: "load-balancer"}
