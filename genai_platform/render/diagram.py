"""The architecture of one environment, from its settings and, where they are known, the states of its steps. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genai_platform.config.settings import Settings
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.render import addresses, sign_in
from genai_platform.render.mermaid import Arrow, Node, flowchart

_NAMES = 6
"""So many names a box lists; for the others it gives their number."""
_ACCOUNTS = 8
"""So many Azure OpenAI accounts get a box of their own."""
_PROVIDERS = {"azure": ("Azure OpenAI", "azure"), "openai": ("OpenAI API", ""), "bedrock": ("Amazon Bedrock", "aws")}
"""Title and area of what serves models."""
_LANGFUSE = ("langfuse.config", "langfuse.database", "langfuse.chart", "patch.identity")


@dataclass(frozen=True)
class Diagram:
    """The picture's text, and the boxes and arrows in it."""

    mermaid: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def diagram(target: Target, steps: Collection[str], states: Mapping[str, str] | None = None) -> Diagram:
    """Draw an environment.

    Args:
        steps: the steps that it has; others make nothing here.
        states: of each step, one of the words of ``engine.step.State``; None draws the configuration alone.
    """
    settings = target.settings
    drawn = [*_outside(settings), *_aws(target), *_azure(target)]
    nodes = [replace(node, steps=tuple(step for step in node.steps if step in steps)) for node in drawn]
    if states is not None:
        nodes = [replace(node, state=_together(node.steps, states)) for node in nodes]
    there = {node.id for node in nodes}
    arrows = [arrow for arrow in _arrows(settings) if {arrow.start, arrow.end} <= there]
    return Diagram(flowchart(f"Architecture of {target.prefix}", nodes, arrows), tuple(nodes), tuple(arrows))


def _together(steps: Sequence[str], states: Mapping[str, str]) -> str:
    """The state of something that several steps make: theirs where they agree; *unknown* where one is; else *drifted*.

    Empty where none of them was looked at.
    """
    found = {states[step] for step in steps if step in states}
    if len(found) > 1:
        return "unknown" if "unknown" in found else "drifted"
    return next(iter(found), "")


# -- boxes ------------------------------------------------------------------------------------------
def _outside(settings: Settings) -> Iterator[Node]:
    yield Node("people", ("People", "browser, or a program with a LiteLLM key"), shape="round")
    if settings.azure.enabled:
        yield Node("callers", ("Callers", *_listed(settings.azure.callers)), steps=("azure.callers",), shape="round")


def _aws(target: Target) -> Iterator[Node]:
    settings, prefix = target.settings, target.prefix
    network = ("infra.network",)
    yield Node("aws", ("AWS", settings.platform.region), shape="area")
    yield Node("vpc", (f"VPC {settings.network.cidr}",), "aws", network, "area")
    yield Node("public", (f"Public subnets in {settings.network.zones} zones",), "vpc", network, "area")
    ingresses = ("litellm.ingress", "langfuse.ingress", "azure.ingress")
    yield Node("load_balancer", ("Application Load Balancer", *_listeners(settings)), "public", ingresses)
    nats = "1" if settings.network.nat == "single" else "one in each zone"
    yield Node("nat", (f"NAT gateway ({nats})",), "public", network)
    yield Node("private", (f"Private subnets in {settings.network.zones} zones",), "vpc", network, "area")
    yield from _cluster(settings, prefix)
    yield Node("aurora", ("Aurora PostgreSQL", "databases of LiteLLM and Langfuse"), "private", ("infra.data",), "store")
    yield Node("redis", ("ElastiCache for Redis",), "private", ("infra.data", "infra.redis"), "store")
    yield Node("iam", ("IAM roles of the pods", "through the cluster's OIDC provider"), "aws", ("infra.cluster",), "area")
    for name in ("litellm", "langfuse", "clickhouse"):
        yield Node(f"role_{name}", (f"{prefix}-{name}",), "iam", ("infra.cluster",), "role")
    for name, title in (("langfuse", "Langfuse"), ("clickhouse", "ClickHouse")):
        yield Node(f"bucket_{name}", (f"S3 bucket of {title}",), "aws", ("infra.storage",), "store")
    yield Node("secrets", ("Secrets Manager", "the platform's secrets"), "aws", ("infra.storage", "infra.secrets"), "store")
    if addresses.tls(settings):
        yield Node("certificate", ("ACM certificate",), "aws", ("infra.certificate",))
    if settings.terraform.backend == "s3":
        yield Node("bucket_state", ("S3 bucket of Terraform's states",), "aws", ("infra.state",), "store")


def _listeners(settings: Settings) -> Iterator[str]:
    """Each host and port that it answers at."""
    for name in ("LiteLLM", "Langfuse"):
        at = addresses.listener(settings, name.lower())
        yield f"{name}: {at.host}:{at.port}" if at.host else f"{name}: port {at.port}"
    if settings.azure.enabled:
        yield f"API Management: port {settings.ingress.gateway_port}"


def _cluster(settings: Settings, prefix: str) -> Iterator[Node]:
    yield Node("eks", (f"EKS cluster {prefix}", f"namespace {NAMESPACE}"), "private", ("infra.cluster", "infra.kubernetes"), "area")
    pods = settings.litellm.replicas
    steps = ("litellm.config", "litellm.database", "litellm.migration", "litellm.proxy")
    yield Node("litellm", ("LiteLLM", f"{pods} {'pod' if pods == 1 else 'pods'}"), "eks", steps)
    yield Node("langfuse_web", ("Langfuse web",), "eks", _LANGFUSE)
    yield Node("langfuse_worker", ("Langfuse worker",), "eks", _LANGFUSE)
    yield Node("clickhouse", ("ClickHouse", "traces"), "eks", ("langfuse.chart", "langfuse.traces", "patch.disk"), "store")
    keeper = "ZooKeeper" if settings.langfuse.chart.line == 1 else "ClickHouse Keeper"
    yield Node("keeper", (keeper,), "eks", ("langfuse.chart",))
    if settings.langfuse.chart.line == 2:
        yield Node("operator", ("ClickHouse operator", "cert-manager"), "eks", ("langfuse.operator",))


def _azure(target: Target) -> Iterator[Node]:
    settings = target.settings
    yield Node("azure", ("Azure",), shape="area")
    if settings.azure.enabled:
        yield from _gateway(target)
    yield from _accounts(settings)


def _gateway(target: Target) -> Iterator[Node]:
    azure = target.settings.azure
    yield Node("entra", ("Entra ID",), "azure", shape="area")
    yield Node("application", ("Entra application of the API",), "entra", ("azure.application",))
    yield Node("check_applications", ("Entra applications of genai verify",), "entra", ("azure.check_applications",))
    if tools := sign_in.tools(target.settings):
        yield Node("sign_in", (f"Entra applications for signing in to {' and '.join(tools)}",), "entra", (sign_in.STEP,))
    yield Node("group", (f"Resource group {target.resource_group}", azure.location), "azure", ("azure.group",), "area")
    yield Node("vault", ("Key Vault", "callers' LiteLLM keys"), "group", ("azure.vault",), "store")
    steps = ("azure.service", "azure.access", "azure.shared_key", "azure.api", "azure.policy")
    name = azure.apim.existing or azure.apim.sku
    yield Node("apim", ("API Management", name, f"/{azure.apim.path}"), "azure" if azure.apim.existing else "group", steps)


def _accounts(settings: Settings) -> Iterator[Node]:
    """Where the configured models are served: accounts of Azure OpenAI, addresses, regions of Amazon Bedrock; nobody here makes them."""
    found = _deployments(settings)
    for number, ((provider, address), deployments) in enumerate(found.items()):
        title, inside = _PROVIDERS[provider]
        if number == _ACCOUNTS:
            kind = "accounts" if provider == "azure" else "places"
            yield Node("openai_more", (title, f"{len(found) - _ACCOUNTS} more {kind}"), inside)
            return
        yield Node(
            f"openai_{number}", (title, address.removeprefix(f"{title} in ").partition("://")[2] or address, *_listed(deployments)), inside
        )
    if not found:
        yield Node("openai_0", ("Azure OpenAI", "no model is configured"), "azure")


def _deployments(settings: Settings) -> dict[tuple[str, str], list[str]]:
    """By provider and address."""
    found: dict[tuple[str, str], list[str]] = {}
    for model in settings.litellm.models:
        kind = "deployment " if model.provider == "azure" else ""
        name = model.name if model.name == model.upstream else f"{model.name} ({kind}{model.upstream})"
        found.setdefault((model.provider, model.address), []).append(name)
    return found


def _listed(names: Collection[str]) -> Sequence[str]:
    """Names as lines of a box."""
    shown = list(names)[:_NAMES]
    return [*shown, f"and {len(names) - _NAMES} more"] if len(names) > _NAMES else shown or ["none configured"]


# -- arrows -----------------------------------------------------------------------------------------
def _arrows(settings: Settings) -> Iterator[Arrow]:
    """All that there may be; those to boxes that are not drawn are left out."""
    key = "the shared key" if settings.azure.apim.keys == "shared" else "the caller's own key"
    yield Arrow("people", "load_balancer", "HTTPS" if addresses.tls(settings) else "HTTP")
    yield Arrow("callers", "application", "asks for a token", "use")
    yield Arrow("callers", "apim", "token")
    yield Arrow("apim", "application", "validates the token", "use")
    yield Arrow("apim", "vault", "managed identity")
    yield Arrow("apim", "load_balancer", key)
    yield Arrow("certificate", "load_balancer", kind="use")
    yield Arrow("load_balancer", "litellm")
    yield Arrow("load_balancer", "langfuse_web")
    yield Arrow("litellm", "nat", "models")
    for number in range(min(max(len(_deployments(settings)), 1), _ACCOUNTS)):
        yield Arrow("nat", f"openai_{number}")
    yield Arrow("nat", "openai_more")
    yield Arrow("litellm", "langfuse_web", "traces")
    for pod in ("litellm", "langfuse_web", "langfuse_worker"):
        yield Arrow(pod, "aurora")
        yield Arrow(pod, "redis")
    for pod in ("langfuse_web", "langfuse_worker"):
        yield Arrow(pod, "clickhouse")
        yield Arrow(pod, "bucket_langfuse")
    yield Arrow("clickhouse", "keeper")
    yield Arrow("operator", "clickhouse", kind="use")
    yield Arrow("clickhouse", "bucket_clickhouse", "S3 disk, backups")
    for role, pod in (("litellm", "litellm"), ("langfuse", "langfuse_web"), ("langfuse", "langfuse_worker"), ("clickhouse", "clickhouse")):
        yield Arrow(f"role_{role}", pod, kind="use")
    yield Arrow("secrets", "litellm", kind="use")
    yield Arrow("secrets", "langfuse_web", kind="use")
