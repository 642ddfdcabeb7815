"""How late the real services are: every duration of the stand-ins, with its source, times one factor, the pace.

A stand-in waits ``place.pace.of(EKS_ENDPOINT_NAME)`` seconds and never a number of its own. At pace 1.0 it is as late as
the real service, at the default pace a rehearsal stays short; nothing is ever immediate.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from genai_platform.errors import ConfigError

VARIABLE = "GENAI_SANDBOX_PACE"
"""The environment variable that chooses the pace of a sandbox when it is started."""
DEFAULT = 0.02
SLOWEST = 1.0


@dataclass(frozen=True)
class Duration:
    """How long something takes on the real service."""

    seconds: float
    source: str
    """Document, issue or measurement that the figure comes from."""


@dataclass(frozen=True)
class Pace:
    """The factor between a real duration and the sandbox's."""

    factor: float = DEFAULT

    def of(self, duration: Duration) -> float:
        """Seconds that the sandbox takes for it."""
        return duration.seconds * self.factor


def chosen(environ: Mapping[str, str] | None = None) -> float | None:
    """The factor that ``GENAI_SANDBOX_PACE`` asks for; ``None`` when it is not set.

    Raises:
        ConfigError: it is not a number greater than 0 and at most 1.
    """
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if not text:
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= SLOWEST:
        raise ConfigError(
            f"{VARIABLE}: '{text}' is not valid: expected a number greater than 0 and at most {SLOWEST:g}",
            remedy=f"{SLOWEST:g} is as slow as the real clouds, {DEFAULT:g} the default",
            id="sandbox.pace",
        )
    return factor


# -- AWS: EKS ---------------------------------------------------------------------------------------
EKS_PROFILE_OUTLIVES = Duration(
    240, "aws/containers-roadmap#2531: Auto Mode's instance profile is still there when DeleteCluster has ended"
)
EKS_ENDPOINT_NAME = Duration(60, "awslabs/eks-perf-tests PR#599: 'no such host' after ACTIVE; the record's TTL is 60 s")
EKS_ENDPOINT_LISTENS = Duration(30, "aws/containers-roadmap#654: about 30 s more until the endpoint takes connections")
EKS_ACCESS_ENTRY = Duration(30, "EKS user guide, access entries: eventually consistent; the creator's own is answered 401 until then")
EKS_DELETION = Duration(300, "vmware-archive/kube-prod-runtime#512: usually within 5 min; rancher/rancher#26101: about 10 with nodes")

# -- AWS: load balancer -----------------------------------------------------------------------------
TARGET_REGISTRATION = Duration(
    30, "from readiness to the first health check, in reports up to 2 minutes: kubernetes-sigs/aws-load-balancer-controller#1124"
)
TARGET_DEREGISTRATION = Duration(
    15, "a target gets requests for so long after its pod has ended: kubernetes-sigs/aws-load-balancer-controller#1064, #1719"
)
IMAGE_PULL_BACK_OFF = Duration(10, "doubled with each failure, 5 minutes at most: Kubernetes documentation, Images, ImagePullBackOff")
IMAGE_PULL_LONGEST = Duration(300, "Kubernetes documentation, Images, ImagePullBackOff: 5 minutes at most")
NODE_CLAIM_RETRY = Duration(60, "an order that failed is made again within about a minute: aws/karpenter-provider-aws#5578")
TARGET_DRAINING = Duration(300, "deregistration_delay.timeout_seconds, default: ELB user guide, edit target group attributes")

# -- AWS: credentials, other services ---------------------------------------------------------------
RDS_STOP = Duration(120, "Aurora user guide, stopping and starting a cluster: takes a few minutes")
RDS_START = Duration(240, "Aurora user guide, stopping and starting a cluster: several minutes")

# -- Azure: Entra ID, role assignments --------------------------------------------------------------
DIRECTORY_OBJECT_SHOWN = Duration(15, "Microsoft Graph, eventual consistency: a replica answers 404 for a new object for some seconds")
CLIENT_SECRET_KNOWN = Duration(
    18, "Microsoft Q&A and hashicorp/terraform-provider-azuread #4: AADSTS7000215 for 4 to 18 s after addPassword"
)
ROLE_ASSIGNED = Duration(300, "Troubleshoot Azure RBAC: up to 10 minutes until a role assignment takes effect")
ROLE_ASSIGNED_TO_IDENTITY = Duration(
    450, "estimate; Troubleshoot Azure RBAC: up to 10 minutes; a resource's own identity is later than people and applications"
)
FEDERATED_CREDENTIAL_KNOWN = Duration(
    120, "Microsoft Entra, federated identity credentials, considerations: a new one is refused (AADSTS70021) for some minutes"
)
RESOURCE_PRINCIPAL_KNOWN = Duration(
    15, "estimate; Entra replication, Microsoft identity platform: AADSTS500011 until the token endpoint knows a new API"
)
"""The token endpoint says AADSTS500011 for a service principal that Graph shows already."""

# -- Azure: Resource Manager, Key Vault, API Management service -------------------------------------
OPERATION_ASKED = Duration(15, "Resource Manager, asynchronous operations: Retry-After, 15 s in its example, until the next look")
RESOURCE_GROUP_DELETED = Duration(60, "estimate; Azure Resource Manager resource group deletion: asynchronous, a minute for an empty group")
PROVIDER_REGISTERED = Duration(120, "estimate; Resolve errors for resource provider registration: Registering for some minutes")
VAULT_MADE = Duration(30, "azurerm key_vault: about half a minute until a new vault's name resolves")
VAULT_PURGED = Duration(60, "estimate; Key Vault soft-delete: a purge is asynchronous and takes a minute")
VAULT_NAME_FREE = Duration(120, "estimate; Azure/AppConfiguration #677 (sibling service): a purged name stays taken for some minutes")
SECRET_DELETED = Duration(15, "Key Vault error ObjectIsBeingDeleted: a deleted secret's name is locked for some seconds")
SERVICE_MADE_V2 = Duration(300, "API Management v2 tiers overview: a service is deployed in minutes")
SERVICE_MADE_CLASSIC = Duration(2400, "Create an API Management service: 30 to 40 minutes in the classic tiers")
SERVICE_MADE_CONSUMPTION = Duration(90, "API Management, Consumption tier: a service is deployed in under two minutes")
SERVICE_CHANGED = Duration(60, "estimate; API Management: a change of sku or tags leaves the state Updating for a minute and more")
SERVICE_DELETED = Duration(180, "estimate; azurerm api_management: deletion is a long-running operation of some minutes")
SERVICE_RESTORABLE = Duration(60, "azure-rest-api-specs #25262: a restore is refused for about a minute after the deletion")
SERVICE_PURGED = Duration(120, "estimate; azure-rest-api-specs #14961: the purge of a deleted service is a long-running operation")
SERVICE_NAME_FREE = Duration(180, "estimate; Azure/AppConfiguration #677 (sibling service): a purged name stays taken for some minutes")
ENTITY_WRITTEN = Duration(10, "estimate; API Management: APIs and named values are written by long-running operations of some seconds")

# -- Azure: gateway, Azure OpenAI -------------------------------------------------------------------
APIM_EFFECTIVE = Duration(25, "an API's or a policy's change reaches the v2 gateways after seconds; no figure is published: estimate")
APIM_FORWARD = Duration(240, 'Microsoft Learn, "forward-request policy": more than 240 seconds may not be honored')
COGNITIVE_ACCOUNT_MADE = Duration(30, "estimate; azurerm cognitive_account: an account of Azure OpenAI is made within a minute")
COGNITIVE_ACCOUNT_DELETED = Duration(30, "estimate; azurerm cognitive_account: deletion is a long-running operation")
COGNITIVE_ACCOUNT_PURGED = Duration(60, "estimate; Recover or purge deleted Azure AI services resources: a purge is asynchronous")
COGNITIVE_SUBDOMAIN_FREE = Duration(180, "estimate; Azure/ResourceModules#468: the name of a purged account is not free at once")
DEPLOYMENT_MADE = Duration(30, "estimate; azurerm cognitive_deployment: creation is a long-running operation of some seconds")
DEPLOYMENT_DELETED = Duration(10, "estimate; azurerm cognitive_deployment: deletion is a long-running operation of some seconds")
DEPLOYMENT_ANSWERS = Duration(60, "Azure OpenAI's DeploymentNotFound: created within the last 5 minutes, please wait a moment")
OPENAI_THROTTLED = Duration(60, "Microsoft Learn, Azure OpenAI quotas: tokens and requests are counted per minute")
APIM_FORWARD_LEAST = Duration(30, "not a duration of Azure: the least time that a real proxy on a busy machine gets for an answer")

# -- Langfuse ---------------------------------------------------------------------------------------
INGESTION_DELAY = Duration(15, "LANGFUSE_INGESTION_QUEUE_DELAY_MS, default 15000: langfuse.com/self-hosting/configuration")
"""How long a batch waits in the queue before the worker takes it, so that later reports of the same object come with it."""
LATE_SPANS = Duration(900, "langfuse.com/faq/all/upgrade-to-langfuse-v4: up to 15 minutes without x-langfuse-ingestion-version: 4")
