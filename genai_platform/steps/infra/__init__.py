"""The family ``infra``: what exists in AWS, and what the cluster has before any application."""

from __future__ import annotations

from genai_platform.engine.step import Step
from genai_platform.steps.clients import Clients
from genai_platform.steps.infra import certificate as infra_certificate
from genai_platform.steps.infra import kubernetes as infra_kubernetes
from genai_platform.steps.infra.data import DataStep, data_inputs
from genai_platform.steps.infra.redis import RedisStep
from genai_platform.steps.infra.secrets import SecretsStep
from genai_platform.steps.infra.terraform import ClusterStep, NetworkStep, StateStep, StorageStep, cluster_inputs, network_inputs, no_inputs

KEPT_WITH_DATA = ("infra.state", "infra.storage", "infra.secrets")
"""Steps that ``down --keep-data`` keeps. (``infra.data`` goes, and leaves a snapshot.)"""


def steps(clients: Clients) -> list[Step]:
    """The family's steps for what is configured."""
    state = ("infra.state",) if clients.target.settings.terraform.backend == "s3" else ()
    storage = StorageStep(clients, "storage", state, 0.5, no_inputs)
    network = NetworkStep(clients, "network", state, 3, network_inputs)
    sources = (storage, network)
    family: list[Step] = [
        storage,
        SecretsStep(clients),
        network,
        ClusterStep(clients, "cluster", ("infra.network", "infra.storage"), 12, cluster_inputs, sources=sources),
        DataStep(clients, "data", ("infra.network", "infra.secrets"), 12, data_inputs, sources=sources),
        RedisStep(clients),
    ]
    if state:
        family.insert(0, StateStep(clients))
    if clients.target.settings.ingress.tls != "none":
        family.append(infra_certificate.step(clients))
    return [*family, infra_kubernetes.step(clients)]
