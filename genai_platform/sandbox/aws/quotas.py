"""Service Quotas with AWS's default values, and EC2's refusals when an account has used them up.

Codes and defaults: Amazon VPC user guide, "Amazon VPC quotas"; EC2 user guide, "On-Demand Instance limits"; Amazon EKS, Aurora,
ElastiCache and Elastic Load Balancing service quotas in the AWS General Reference. Refusals: EC2 API, "Error codes".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.servicequotas.models import servicequotas_backends
from moto.servicequotas.responses import ServiceQuotasResponse

from genai_platform.sandbox.aws.identity import ACCOUNT
from genai_platform.sandbox.aws.stand_in import AwsStandIn

ADDRESSES, VPCS, NAT_GATEWAYS, VCPUS = "L-0263D0A3", "L-F678F1CE", "L-FE5A380F", "L-1216C47A"
_DEFAULTS: dict[str, tuple[str, str, float]] = {
    ADDRESSES: ("ec2", "EC2-VPC Elastic IPs", 5),
    VPCS: ("vpc", "VPCs per Region", 5),
    NAT_GATEWAYS: ("vpc", "NAT gateways per Availability Zone", 5),
    "L-A4707A72": ("vpc", "Internet gateways per Region", 5),
    VCPUS: ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 64),
    "L-1194D53C": ("eks", "Clusters", 100),
    "L-952B80B8": ("rds", "DB clusters", 40),
    "L-DFE45DF3": ("elasticache", "Nodes per Region", 300),
    "L-53DA6B97": ("elasticloadbalancing", "Application Load Balancers per Region", 50),
}
"""Code: service, name, default. For vCPUs what an account has after a while: a new one begins with 5, and ``apply`` gives it that."""


def value(region: str, code: str) -> float:
    """What the account may have: the default, unless another was set."""
    applied: dict[str, float] = getattr(servicequotas_backends[ACCOUNT][region], "applied", {})
    return applied.get(code, _DEFAULTS[code][2])


def apply(region: str, code: str, limit: float) -> None:
    """Give the account another quota, as AWS does after a request. Raises ``KeyError`` for a code that is not known."""
    _ = _DEFAULTS[code]
    backend: Any = servicequotas_backends[ACCOUNT][region]
    backend.applied = getattr(backend, "applied", {}) | {code: limit}


def patch(stand_in: AwsStandIn) -> None:
    """Patch moto's Service Quotas, and EC2 where a quota is used up."""

    def get_service_quota(self: Any) -> str:
        service, code = self._get_param("ServiceCode"), self._get_param("QuotaCode")
        if code not in _DEFAULTS or _DEFAULTS[code][0] != service:
            raise JsonRESTError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        return json.dumps({"Quota": _shown(self.region, code)})

    def list_service_quotas(self: Any) -> str:
        service = self._get_param("ServiceCode")
        return json.dumps({"Quotas": [_shown(self.region, code) for code, (of, _, _) in _DEFAULTS.items() if of == service]})

    ServiceQuotasResponse.get_service_quota = get_service_quota
    ServiceQuotasResponse.list_service_quotas = list_service_quotas
    _limit("allocate_address", ADDRESSES, "AddressLimitExceeded", "The maximum number of addresses has been reached.", _addresses)
    _limit("create_vpc", VPCS, "VpcLimitExceeded", "The maximum number of VPCs has been reached.", lambda ec2, *_: len(ec2.vpcs))
    text = "The maximum number of NAT Gateways has been reached."
    _limit("create_nat_gateway", NAT_GATEWAYS, "NatGatewayLimitExceeded", text, _gateways)


def _limit(operation: str, quota: str, code: str, message: str, used: Callable[..., int]) -> None:
    real = getattr(EC2Backend, operation)

    def limited(self: Any, *positional: Any, **named: Any) -> Any:
        if self.account_id == ACCOUNT and used(self, *positional, *named.values()) >= value(self.region_name, quota):
            raise EC2ClientError(code, message)
        return real(self, *positional, **named)

    setattr(EC2Backend, operation, limited)


def _addresses(ec2: Any, *_: Any) -> int:
    return sum(address.domain == "vpc" for address in ec2.addresses)


def _gateways(ec2: Any, subnet: str, *_: Any) -> int:
    """Those in the zone of a subnet."""
    zone = ec2.get_subnet(subnet).availability_zone
    alive = [gateway for gateway in ec2.nat_gateways.values() if gateway.state not in ("deleted", "failed")]
    return sum(ec2.get_subnet(gateway.subnet_id).availability_zone == zone for gateway in alive)


def _shown(region: str, code: str) -> dict[str, Any]:
    service, name, _ = _DEFAULTS[code]
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": name,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{ACCOUNT}:{service}/{code}",
        "Value": float(value(region, code)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }
