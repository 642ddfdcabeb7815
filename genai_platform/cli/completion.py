"""What the shell completes: names of steps, checks, callers, models, workloads and environments.

Told by the configuration as it is written, without a look at any cloud and without the packages that validate it: a shell asks at
every press of the key. Whatever is wrong completes nothing, and is told by the command itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from genai_platform.config import merged, model_defaults

Values = Mapping[str, Any]
"""The settings of all layers, not validated."""

STEPS = (
    "infra.state", "infra.storage", "infra.secrets", "infra.network", "infra.cluster", "infra.data", "infra.redis",
    "infra.certificate", "infra.kubernetes",
    "litellm.config", "litellm.database", "litellm.migration", "litellm.ingress", "litellm.proxy",
    "langfuse.config", "langfuse.database", "langfuse.ingress", "langfuse.operator", "langfuse.chart", "langfuse.traces",
    "patch.identity", "patch.disk",
    "azure.group", "azure.openai", "azure.model_access", "azure.application", "azure.vault", "azure.service",
    "azure.check_applications", "azure.access", "azure.shared_key", "azure.sign_in", "azure.ingress", "azure.api", "azure.policy",
    "azure.callers",
)  # fmt: skip
CHECKS = (
    *(f"litellm.{name}" for name in ("ready", "openapi", "ui", "models", "chat", "stream", "logged", "refuses")),
    "models.keyless",
    *(f"langfuse.{name}" for name in ("login", "closed", "keys", "trace", "storage")),
    "clickhouse.storage", "patch.identity", "patch.disk",
    *(f"azure.{name}" for name in ("token", "chat", "stream", "key")),
    *(f"azure.refuses.{name}" for name in (
        "no_token", "garbage", "expired", "audience", "tenant", "role", "no_key", "vault_down", "admin_routes", "subscription_key",
        "foreign_headers", "direct",
    )),
    "sign_in.litellm", "sign_in.langfuse",
)  # fmt: skip
WORKLOADS = ("litellm", "langfuse-web", "langfuse-worker", "langfuse-clickhouse", "langfuse-zookeeper", "langfuse-keeper")


def steps(ctx: typer.Context, incomplete: str) -> list[str]:
    """Steps and families; of one family in its own command."""
    names = _with_groups(_existing(STEPS, _configured(ctx)))
    family = next((name for name in ctx.command_path.split()[1:2] if name in names), "")
    return _beginning(incomplete, (name for name in names if name.startswith(f"{family}." if family else "")))


def checks(ctx: typer.Context, incomplete: str) -> list[str]:
    """Checks, and what several of them begin with."""
    values = _configured(ctx)
    return _beginning(incomplete, _with_groups([*_existing(CHECKS, values), *_of_models(values)]))


def _of_models(values: Values) -> list[str]:
    """The checks of the configured models' deployments."""
    from genai_platform.config.model_checks import MODES, ids

    models = [one for one in merged.entries(values) if isinstance(one.get("name"), str)]
    named = zip(ids([model["name"] for model in models]), models, strict=True)
    return [id for id, model in named if model.get("mode", "chat") in MODES]


def callers(ctx: typer.Context, incomplete: str) -> list[str]:
    """The callers of ``[azure.callers.NAME]``."""
    return _beginning(incomplete, merged.table(_configured(ctx), "azure", "callers"))


def chat_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """The models that chat."""
    models = merged.entries(_configured(ctx))
    return _beginning(incomplete, dict.fromkeys(model.get("name") for model in models if model.get("mode", "chat") == "chat"))


def workloads(ctx: typer.Context, incomplete: str) -> list[str]:
    """Workloads whose pods have logs."""
    values = _configured(ctx)
    other = "langfuse-zookeeper" if _second_line(values) else "langfuse-keeper"
    return _beginning(incomplete, (name for name in WORKLOADS if name != other) if values else ())


def environments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Environments that have a file of settings, or a state."""
    from genai_platform.cli.worlds import unvalidated

    return _beginning(incomplete, unvalidated.environments(ctx))


def _beginning(incomplete: str, names: Iterable[Any]) -> list[str]:
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]


def _with_groups(ids: Iterable[str]) -> list[str]:
    """The identifiers, each after what it begins with: ``azure``, ``azure.refuses``, ``azure.refuses.role``."""
    found: dict[str, None] = {}
    for id in ids:
        parts = id.split(".")
        found |= dict.fromkeys(".".join(parts[: count + 1]) for count in range(len(parts)))
    return list(found)


def _configured(ctx: typer.Context) -> Values:
    from genai_platform.cli.worlds import unvalidated

    return unvalidated.values(ctx)


def _value(values: Values, path: str) -> Any:
    """The value at a dotted path; ``None`` where there is none."""
    *tables, name = path.split(".")
    return merged.table(values, *tables).get(name)


def _second_line(values: Values) -> bool:
    return str(_value(values, "langfuse.chart.version")).startswith("2.")


def _keyless(values: Values) -> bool:
    return any(one.get("auth") == "entra" for one in merged.entries(model_defaults.completed(values)))


def _entra(values: Values, tool: str) -> bool:
    return merged.table(values, tool).get("sign_in") == "entra"


_ONLY_WITH: Mapping[str, Callable[[Values], bool]] = {
    "infra.state": lambda values: _value(values, "terraform.backend") == "s3",
    "infra.certificate": lambda values: _value(values, "ingress.tls") != "none",
    "langfuse.operator": _second_line,
    "azure": lambda values: _value(values, "azure.enabled") is True,
    "azure.shared_key": lambda values: _value(values, "azure.apim.keys") == "shared",
    "azure.openai": lambda values: _value(values, "azure.openai") is not None,
    "azure.model_access": _keyless,
    "models.keyless": _keyless,
    "azure.sign_in": lambda values: _entra(values, "litellm") or _entra(values, "langfuse"),
    "sign_in.litellm": lambda values: _entra(values, "litellm"),
    "sign_in.langfuse": lambda values: _entra(values, "langfuse"),
}
"""Which steps and checks exist only with some settings."""


def _existing(ids: Iterable[str], values: Values) -> list[str]:
    """Those that exist with these settings; none without any."""
    missing = {name for name, exists in _ONLY_WITH.items() if not exists(values)}
    return [id for id in ids if values and not missing & {id, id.partition(".")[0]}]
