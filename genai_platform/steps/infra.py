"""The family ``infra``: what stands in AWS below Kubernetes."""

from __future__ import annotations

from genai_platform.graph.step import Step
from genai_platform.steps import infra_certificate
from genai_platform.steps.doors import Doors
from genai_platform.steps.infra_data import DataStep, data_inputs
from genai_platform.steps.infra_redis import RedisStep
from genai_platform.steps.infra_secrets import SecretsStep
from genai_platform.steps.infra_terraform import ClusterStep, NetworkStep, StateStep, StorageStep, cluster_inputs, network_inputs, no_inputs

KEPT_WITH_DATA = ("infra.state", "infra.storage", "infra.secrets")
"""Steps that ``down --keep-data`` leaves standing. (``infra.data`` goes, and leaves a snapshot.)"""


def steps(doors: Doors) -> list[Step]:
    """The family's steps for what is configured."""
    state = ("infra.state",) if doors.target.settings.terraform.backend == "s3" else ()
    family: list[Step] = [
        StorageStep(doors, "storage", state, 0.5, no_inputs),
        SecretsStep(doors),
        NetworkStep(doors, "network", state, 3, network_inputs),
        ClusterStep(doors, "cluster", ("infra.network", "infra.storage"), 12, cluster_inputs),
        DataStep(doors, "data", ("infra.network", "infra.secrets"), 12, data_inputs),
        RedisStep(doors),
    ]
    if state:
        family.insert(0, StateStep(doors))
    if doors.target.settings.ingress.tls != "none":
        family.append(infra_certificate.step(doors))
    return family
