"""What Terraform made, as typed values: parsed from ``terraform output -json``, one model per root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from genai_platform.advice import run_genai
from genai_platform.errors import StepError


class RootOutputs(BaseModel):
    """The outputs of one root. Unknown ones are ignored, a missing or mistyped one is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @classmethod
    def parse(cls, root: str, document: Mapping[str, Any]) -> Self:
        """Read the document of ``terraform output -json``.

        Raises:
            StepError: an output is missing or has another type; the message names root and output.
        """
        values = {name: entry.get("value") for name, entry in document.items()}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise StepError(
                f"terraform root '{root}' does not give what is needed: {faults}",
                remedy=run_genai(f"infra --only infra.{root}"),
                id="outputs.invalid",
            ) from None


class NetworkOutputs(RootOutputs):
    vpc_id: str
    public_subnet_ids: list[str]
    private_subnet_ids: list[str]
    private_subnet_cidrs: list[str] = []
    nat_public_ips: list[str]


class ClusterOutputs(RootOutputs):
    cluster_name: str
    cluster_endpoint: str
    cluster_ca: str
    """Base64 PEM, as EKS gives it."""
    cluster_security_group_id: str
    oidc_provider_arn: str
    litellm_role_arn: str
    langfuse_role_arn: str
    clickhouse_role_arn: str

    @property
    def oidc_issuer(self) -> str:
        """The address of the cluster's OpenID Connect issuer, as its service accounts' tokens name it."""
        return "https://" + self.oidc_provider_arn.partition(":oidc-provider/")[2]


class DataOutputs(RootOutputs):
    postgres_cluster_id: str
    postgres_host: str
    postgres_port: int
    postgres_admin: str
    redis_replication_group_id: str
    redis_host: str
    redis_port: int


class StorageOutputs(RootOutputs):
    langfuse_bucket: str
    clickhouse_bucket: str
    secret_arn: str


@dataclass(frozen=True)
class Outputs:
    """All roots together: what rendering needs."""

    network: NetworkOutputs
    cluster: ClusterOutputs
    data: DataOutputs
    storage: StorageOutputs
