"""What ``genai doctor`` looks at on the real clouds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from genai_platform.cli.doctor.line import Line, kubernetes, langfuse, look, prices
from genai_platform.errors import ConfigError, unexpected

if TYPE_CHECKING:
    from genai_platform.cli.run import Run
    from genai_platform.cli.worlds.clouds import Clouds
    from genai_platform.config.target import Target
    from genai_platform.steps.clients import Clients


def examine(run: Run, world: Clouds) -> Iterator[Line]:
    """The configuration, then what only the clouds can tell of it."""
    found: list[Target] = []

    def configuration() -> str:
        from genai_platform.steps.catalog import preflight

        target = world.away_from_here()
        found.append(target)
        run.screen.target = world.describe()
        preflight(target)
        if target.settings.aws.account_id is None:
            raise ConfigError("aws.account_id is not set", remedy="run: genai init (or, without any account: --sandbox)")
        return f"'{target.environment}' is {target.prefix} in {target.settings.platform.region}"

    yield look("configuration", configuration)
    if not found:
        yield Line("credentials", "skip", "not looked at: the configuration has faults")
        return
    from genai_platform.steps.clients import Clients

    clients, settings = Clients(found[0]), found[0].settings
    yield from langfuse(settings)
    account = look("credentials", lambda: f"AWS account {clients.aws.confirm_account()}")
    yield account
    if account.state == "pass":
        yield from _account(clients)
    if settings.azure.enabled:
        yield from _azure(clients)
    yield from _keys(clients, seen=account.state == "pass")
    if settings.azure.enabled and settings.ingress.domain is None:
        from genai_platform.render.gateway import UNVERIFIED

        yield Line("azure.backend", "warn", UNVERIFIED, "set ingress.domain")
    yield from prices(settings)
    if not settings.litellm.models:
        yield Line("models", "fail", "litellm.models is empty", "add a [[litellm.models]] table to genai.toml")


def _account(clients: Clients) -> Iterator[Line]:
    from genai_platform.cli import preflight

    settings = clients.target.settings
    yield look("region", lambda: f"{settings.platform.region} has {preflight.zones(clients)} zones")
    yield look("kubernetes", lambda: kubernetes(clients))
    if not settings.ingress.allowed_cidrs:
        yield look("address", lambda: f"this machine is {clients.aws.my_address()}; LiteLLM and Langfuse will admit it alone")


def _azure(clients: Clients) -> Iterator[Line]:
    from genai_platform.steps.azure import prerequisites

    try:
        for found in prerequisites.looks(clients):
            if found.error is None:
                yield Line(found.id, "pass", found.text)
            else:
                yield Line(found.id, "fail", found.text, found.error.remedy or "see the message")
    except Exception as error:
        fault = unexpected(error)
        yield Line("azure", "fail", fault.message, fault.remedy)


def _keys(clients: Clients, *, seen: bool) -> Iterator[Line]:
    """The models' keys: in the environment, or kept from an earlier day. ``seen``: the account can be asked."""
    from genai_platform.cli.preflight import kept_keys
    from genai_platform.steps.infra.secrets import missing_key, upstream_variables

    def kept(name: str) -> str:
        if name not in kept_keys(clients):
            raise missing_key(clients, name)
        return "not set; kept in Secrets Manager from an earlier day"

    for name in upstream_variables(clients):
        if os.environ.get(name):
            yield Line(f"secret.{name}", "pass", "set")
        elif seen:
            yield look(f"secret.{name}", lambda name=name: kept(name))  # type: ignore[misc]
        else:
            yield Line(f"secret.{name}", "skip", f"{name} is not set; whether it was kept from an earlier day cannot be seen")
