"""A sandbox on this machine: another set of endpoints, without any credential of the real clouds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from genai_platform.advice import advice, genai
from genai_platform.cli import fetch_programs
from genai_platform.cli.paths import state_folder
from genai_platform.cli.worlds import Purpose, World, sandbox_defaults, sandboxes
from genai_platform.config.azure_openai import models_of_account
from genai_platform.config.layers import Layer, Loaded, configured_layers, merged, validate
from genai_platform.config.target import PREFIX_LENGTH, Target
from genai_platform.errors import ConfigError, MissingError
from genai_platform.steps import catalog
from genai_platform.ui.voice import Voice

if TYPE_CHECKING:
    from genai_platform.cli.doctor.line import Line
    from genai_platform.cli.run import Run
    from genai_platform.sandbox.layout import SandboxLayout


class Sandbox(World):
    # The quick ones first: they show that it works.
    local = True
    programs: tuple[str, ...] = ("terraform", "etcd", "helm", "kube-controller-manager", "kube-apiserver")
    room = 2048 << 20
    """What the servers write in a day of rehearsing: databases, traces, images, etcd's log."""
    typical_minute = 6.0
    """A first ``up`` takes between two and three minutes on two cores; its steps' typical minutes add up to ten times that."""
    price_lists = False

    @cached_property
    def loaded(self) -> Loaded:
        layers = configured_layers(self.project, self.environment, self.options.set)
        return validate([Layer("sandbox default", sandbox_defaults.defaults(merged(layers))), *layers], self.project)

    def absent(self) -> str:
        return "" if sandboxes.exists(self.project, self.environment) else f"there is no sandbox '{self.environment}'"

    def enter(self, purpose: Purpose) -> Target:
        region = self.configured.settings.platform.region  # first of all: a fault in the configuration is told whatever else is missing
        sandboxes.require_packages()
        drop_ambient()
        if purpose in (Purpose.BUILD, Purpose.UP):
            # A real environment's names always fit; ``sandbox-`` makes a sandbox's longer.
            if len(prefix := self.configured.prefix) > PREFIX_LENGTH:
                raise ConfigError(
                    f"--env: names here would begin with '{prefix}', which has {len(prefix)} characters; {PREFIX_LENGTH} are allowed",
                    remedy="give a shorter --env or platform.name",
                    id="usage.environment",
                )
            catalog.preflight(self.configured)
        # What `down` removes is seen by asking the parts: a sandbox whose start was killed has some that do not run yet.
        starting = purpose in (Purpose.UP, Purpose.DOWN)
        if starting:
            # The only connections to elsewhere: what is fetched comes before the sandbox is closed.
            self.provide()
        from genai_platform.sandbox import loopback, pace, supervisor
        from genai_platform.sandbox.azure import shared_tenant
        from genai_platform.sandbox.layout import SandboxLayout

        loopback.close()
        if purpose is Purpose.UP:
            state_folder(self.project, self.environment)
            folder = sandboxes.folder(self.project, self.environment)
            layout = SandboxLayout.create(folder, self.environment, region, pace.chosen(), shared_tenant.chosen())
        else:
            layout = self.layout()
        shared_tenant.require(layout)
        if starting:
            supervisor.start(layout, Voice(self.screen, "sandbox: "))
        else:
            run_it = sandboxes.start_command(self.environment)
            if not supervisor.running(layout):
                raise MissingError(f"the sandbox '{self.environment}' is not running", remedy=run_it, id="sandbox.stopped")
            if ended := supervisor.ended(layout):
                self.screen.warn(f"of the sandbox '{self.environment}' these parts have ended: {', '.join(ended)}; {run_it}")
        target = self.target_of(layout)
        if purpose in (Purpose.BUILD, Purpose.UP):
            from genai_platform.render import sign_in
            from genai_platform.sandbox.azure import configured_people, existing_accounts, openai_part

            openai_part.offer(layout, {model.upstream: model.base_model for model in target.settings.litellm.models if model.key_variable})
            made = models_of_account(target.settings)
            existing_accounts.offer(layout, [model for model in target.settings.litellm.keyless if model not in made])
            if sign_in.tools(target.settings):
                configured_people.offer(layout, target.settings.sign_in)
        return target

    def provide(self) -> None:
        """Get the programs that are missing."""
        from genai_platform.sandbox.litellm import prisma_client

        # Compilers share both cores well enough, so programs come one after another; this one mostly waits.
        database = [] if prisma_client.ready() else [("litellm-database", prisma_client.prepare)]
        fetch_programs.provide(self.screen, self.programs, database)

    def layout(self) -> SandboxLayout:
        """The sandbox that exists. Raises ``MissingError`` when there is none."""
        return sandboxes.open_layout(self.project, self.environment)

    def target_of(self, layout: SandboxLayout) -> Target:
        """The target that a sandbox is, whether or not it runs."""
        from genai_platform.sandbox.endpoints import environment_of

        endpoints, overlay, variables = environment_of(layout, self.loaded.settings)
        os.environ.update(variables)
        # Last: nothing a person configures may lead a sandbox to a real address.
        settings = validate([*self.loaded.layers, Layer("sandbox", overlay)], self.project).settings
        return Target(self.environment, settings, endpoints, state_folder(self.project, self.environment))

    def describe(self) -> str:
        return f"'{self.environment}': sandbox on this machine"

    def costs(self, usd_per_hour: float) -> str:
        from genai_platform.ui.text import dollars

        return f"nothing here (about {dollars(usd_per_hour)} on the real clouds)"

    def spent(self, told: str) -> str:
        return f"nothing here ({told} on the real clouds)"

    def exports(self, run: Run) -> None:
        layout = self.layout()
        from genai_platform.sandbox.shell_exports import exports, variables

        found = variables(layout, self.target_of(layout))
        if self.screen.json:
            self.screen.document({"variables": found})
        else:
            # The exports themselves go to standard output, so that ``eval`` can read them.
            print(exports(found), end="", flush=True)

    def examine(self, run: Run) -> Iterator[Line]:
        from genai_platform.cli.doctor.line import Line, kubernetes, langfuse, look, prices

        def configuration() -> str:
            catalog.preflight(self.configured)
            return f"valid, {len(self.loaded.settings.litellm.models)} models"

        checked = look("configuration", configuration)
        yield checked
        if checked.state == "pass":
            yield from langfuse(self.loaded.settings)
            yield from prices(self.loaded.settings)
        if sys.platform != "linux":
            yield Line("system", "fail", f"the sandbox needs Linux, this is {sys.platform}", "use a Linux machine or container")
        if missing := sandboxes.missing_packages():
            yield Line("sandbox.packages", "fail", f"missing: {', '.join(missing)}", sandboxes.INSTALL)
            return
        yield Line("sandbox.packages", "pass", "all installed")
        yield look("sandbox.ports", lambda: sandboxes.ports(self.project, self.environment))
        if not self.absent() and sandboxes.runs(self.project, self.environment):
            from genai_platform.cli.doctor import clouds
            from genai_platform.cli.doctor.together import together
            from genai_platform.steps.clients import Clients
            from genai_platform.tools import libraries

            clients = Clients(self.target_of(self.layout()))
            enabled = clients.target.settings.azure.enabled
            libraries.load(azure=enabled)
            yield look("kubernetes", lambda: kubernetes(clients))
            asked: list[tuple[str, Any]] = [*clouds.ACCOUNT_LOOKS, *([("azure", clouds.azure)] if enabled else [])]
            yield from together([(id, partial(ask, clients)) for id, ask in asked])

    def removed_at_rest(self, run: Run) -> str:
        """A sandbox that does not run costs nothing and, with a tenant of its own, holds nothing outside its folder: that goes."""
        if not sandboxes.rests(self.project, self.environment):
            return ""
        if self.loaded.settings.lifecycle.down == "keep-data":
            raise ConfigError(
                f"the sandbox '{self.environment}' does not run, so all that it holds is kept already",
                remedy=advice("to delete all of it: {}", genai("down", set="lifecycle.down=everything")),
                id="down.nothing_kept",
            )
        if not run.options.yes:
            self.screen.confirm(f"The sandbox '{self.environment}' does not run. Delete all of it?")
        sandboxes.remove(self.project, self.environment)
        return f"nothing left: the sandbox '{self.environment}' was not running, and its folder is gone"

    def after_down(self, run: Run, *, kept: bool) -> None:
        if kept:
            # Its account is where the kept things lie, as on the real clouds.
            self.screen.say(f"the sandbox still runs and holds what was kept; to pause it: genai sandbox stop{run.flags}")
            return
        sandboxes.remove(self.project, self.environment)
        self.screen.say("the sandbox is stopped and its world removed")


def drop_ambient() -> None:
    """Forget credentials and settings of real clouds and clusters."""
    from genai_platform.sandbox.endpoints import clean_environment

    clean = clean_environment()
    os.environ.clear()
    os.environ.update(clean)
