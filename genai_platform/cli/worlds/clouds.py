"""The real clouds. An environment pins its account, and any other identity is refused before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from genai_platform.cli import fetch_programs
from genai_platform.cli.paths import state_folder
from genai_platform.cli.worlds import WITHOUT_ACCOUNT, Purpose, World
from genai_platform.config.endpoints import is_loopback, refuse_loopback
from genai_platform.config.layers import Loaded, load
from genai_platform.config.target import Target
from genai_platform.errors import ConfigError
from genai_platform.steps import catalog

if TYPE_CHECKING:
    from genai_platform.cli.doctor.line import Line
    from genai_platform.cli.run import Run


class Clouds(World):
    local = False
    programs: tuple[str, ...] = ("terraform", "helm")
    room = 200 << 20
    typical_minute = 60.0
    price_lists = True

    @cached_property
    def loaded(self) -> Loaded:
        return load(self.project, self.environment, sets=self.options.set)

    def enter(self, purpose: Purpose) -> Target:
        from genai_platform.tools.aws.client import Aws
        from genai_platform.tools.azure.credentials import pinned

        target = self.away_from_here()
        if purpose is Purpose.ACCOUNT:
            return target
        if purpose in (Purpose.BUILD, Purpose.UP):
            catalog.preflight(target)
        self.need_account()
        if target.settings.azure.enabled:
            pinned(target)
        Aws(target).confirm_account()
        if purpose is not Purpose.LOOK:
            fetch_programs.provide(self.screen, self.programs)
        # Not before everything was found right: a refusal writes nothing.
        state_folder(self.project, self.environment)
        return target

    def away_from_here(self) -> Target:
        """The configured target. Raises ``ConfigError`` when anything in it leads to this machine."""
        refuse_loopback(os.environ)
        for model in self.loaded.settings.litellm.models:
            if model.provider != "bedrock" and is_loopback(model.api_base):
                raise ConfigError(
                    f"litellm.models: {model.name}: api_base points to this machine ({model.api_base}), "
                    "and this is a run on the real clouds",
                    remedy="give the address at which the model is served, or --sandbox",
                    id="target.loopback",
                )
        return self.configured

    def need_account(self) -> None:
        """Raises ``ConfigError`` when no account is pinned."""
        if self.loaded.settings.aws.account_id is None:
            raise ConfigError(
                f"aws.account_id is not set for the environment '{self.environment}'",
                remedy=f"run: genai init (or set it in genai.toml); for a run without any account: {WITHOUT_ACCOUNT}",
                id="config.account_not_pinned",
            )

    def describe(self) -> str:
        settings = self.loaded.settings
        account, subscription = settings.aws.account_id or "(not set)", settings.azure.subscription_id or "(not set)"
        azure = f", Azure subscription {subscription}" if settings.azure.enabled else ""
        return f"'{self.environment}': AWS account {account}, {settings.platform.region}{azure}"

    def costs(self, usd_per_hour: float) -> str:
        from genai_platform.ui.text import dollars

        return f"about {dollars(usd_per_hour)} while it exists"

    def spent(self, told: str) -> str:
        return told

    def exports(self, run: Run) -> None:
        from genai_platform.cli.endpoints import endpoints
        from genai_platform.render.secrets import client_exports

        secrets, addresses = run.clients.secrets(), endpoints(run)
        found = {"KUBECONFIG": str(run.clients.kube.kubeconfig()), "AWS_REGION": run.target.settings.platform.region}
        found |= client_exports(secrets, addresses.get("litellm"), addresses.get("langfuse"))
        authority = run.target.folder / "ca.pem"
        if authority.exists():
            found["SSL_CERT_FILE"] = str(authority)
        run.screen.exports(found)

    def examine(self, run: Run) -> Iterator[Line]:
        from genai_platform.cli.doctor.clouds import examine

        return examine(run, self)

    def before_down(self) -> None:
        from genai_platform.cli.worlds import sandboxes

        names = sandboxes.names(self.project)
        if not names:
            return
        commands = " ; ".join(f"genai down --sandbox{sandboxes.flag(name)}" for name in names)
        if self.loaded.settings.aws.account_id is None:
            raise ConfigError(
                f"no account is configured for '{self.environment}'; what exists here is a sandbox: {', '.join(names)}",
                remedy=f"to remove it: {commands}",
                id="down.only_sandbox",
            )
        self.screen.say(f"not touched: {', '.join(names)} (to remove: {commands})")
