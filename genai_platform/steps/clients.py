"""Clients for every external system. One set per command, created when first used; constructing it does no input or output."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from genai_platform.advice import advice, genai, run_genai
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.errors import NeverBuilt, StepError
from genai_platform.render import addresses
from genai_platform.render.outputs import ClusterOutputs, DataOutputs, NetworkOutputs, Outputs, StorageOutputs
from genai_platform.render.secrets import PlatformSecrets

if TYPE_CHECKING:
    from genai_platform.tools.aws.client import Aws
    from genai_platform.tools.azure import Azure
    from genai_platform.tools.helm.client import Helm
    from genai_platform.tools.kubernetes.client import Kube
    from genai_platform.tools.litellm.keys import KeyAdmin
    from genai_platform.tools.terraform.client import Terraform

_PATIENCE = 20.0
"""Seconds for which a look at LiteLLM is repeated while the load balancer has no target for it."""


class Clients:
    """A client of every tool, created when first used.

    Args:
        target: the world to work on.
        aws, terraform, kube: clients to use instead of the ones made for the target.
    """

    def __init__(self, target: Target, *, aws: Aws | None = None, terraform: Terraform | None = None, kube: Kube | None = None) -> None:
        self.target = target
        self._aws, self._terraform, self._kube = aws, terraform, kube

    @cached_property
    def aws(self) -> Aws:
        """The AWS API."""
        from genai_platform.tools.aws.client import Aws

        return self._aws or Aws(self.target)

    @cached_property
    def terraform(self) -> Terraform:
        """Terraform, one root at a time by name."""
        from genai_platform.tools.terraform.client import Terraform

        return self._terraform or Terraform(self.target, self.aws)

    @cached_property
    def kube(self) -> Kube:
        """The cluster's Kubernetes API."""
        from genai_platform.tools.kubernetes.client import Kube

        return self._kube or Kube(self.target, self.aws)

    @cached_property
    def helm(self) -> Helm:
        """Helm, on the same cluster."""
        from genai_platform.tools.helm.client import Helm

        return Helm(self.target, self.kube)

    @cached_property
    def azure(self) -> Azure:
        """Entra ID, Key Vault and API Management."""
        from genai_platform.tools.azure import Azure

        return Azure(self.target)

    def litellm_admin(self) -> KeyAdmin:
        """LiteLLM with the master key, through its load balancer. Raises ``StepError`` while it has no address."""
        from genai_platform.tools import http
        from genai_platform.tools.litellm.keys import KeyAdmin

        client = http.client(self.target, self.need_address("litellm"), timeout=60)
        return KeyAdmin(client, self.secrets().litellm_master_key, patience=_PATIENCE)

    # -- what earlier steps made ------------------------------------------------------------------
    def address(self, name: str) -> str | None:
        """The public address that an ingress serves; ``None`` while its load balancer has no name."""
        return addresses.url(self.target.settings, name, self.kube.get("networking.k8s.io/v1", "Ingress", name, NAMESPACE))

    def need_address(self, name: str) -> str:
        """The same. Raises ``StepError`` while there is none."""
        url = self.address(name)
        if url is None:
            raise StepError(
                f"the ingress '{name}' has no address yet",
                remedy=advice("run: {}, or see: {}", genai(f"up --only {name}.ingress"), genai("status")),
                id="ingress.no_address",
            )
        return url

    def network(self) -> NetworkOutputs:
        """What the network root gives. Raises ``StepError`` naming the command that makes it."""
        return NetworkOutputs.parse("network", self.terraform.outputs("network"))

    def cluster(self) -> ClusterOutputs:
        """What the cluster root gives. Raises ``StepError`` naming the command that makes it."""
        return ClusterOutputs.parse("cluster", self.terraform.outputs("cluster"))

    def data(self) -> DataOutputs:
        """What the data root gives. Raises ``StepError`` naming the command that makes it."""
        return DataOutputs.parse("data", self.terraform.outputs("data"))

    def storage(self) -> StorageOutputs:
        """What the storage root gives. Raises ``StepError`` naming the command that makes it."""
        return StorageOutputs.parse("storage", self.terraform.outputs("storage"))

    def outputs(self) -> Outputs:
        """All four roots together."""
        return Outputs(self.network(), self.cluster(), self.data(), self.storage())

    def secrets(self) -> PlatformSecrets:
        """The platform's secrets. Raises ``NeverBuilt`` when they were not made yet."""
        found = self.aws.platform_secrets()
        if found is None:
            raise NeverBuilt(
                f"the secrets of '{self.target.prefix}' are not in Secrets Manager yet",
                remedy=run_genai("infra --only infra.secrets"),
                id="secrets.absent",
            )
        return found
