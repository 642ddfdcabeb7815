"""azure.unconfigured: what this environment made in Azure for settings that its configuration no longer has.

It exists as a step only where something of it is found. ``up`` removes it last of all, when no pod uses it any more; ``down`` first of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from genai_platform.engine.observe import unknown_if_never_built
from genai_platform.engine.step import Change, Observation, Progress, absent, drifted
from genai_platform.render import sign_in as people
from genai_platform.steps.azure import entra_applications, sign_in
from genai_platform.steps.azure.lookup import AzureStep
from genai_platform.steps.azure.model_access import ModelAccessStep
from genai_platform.steps.azure.openai import account as accounts
from genai_platform.steps.azure.openai import removal, waits


@dataclass(frozen=True)
class _Unconfigured:
    """Something that exists, and how it is removed."""

    what: str
    why: str
    remove: Callable[[Progress], str]


class UnconfiguredStep(AzureStep):
    """Applications of sign-in and of models without keys, accounts of Azure OpenAI."""

    id = "azure.unconfigured"
    needs = ("litellm.proxy", "langfuse.chart")
    limit = waits.LIMIT
    what = "what the configuration no longer has"

    def observe(self) -> Observation:
        with unknown_if_never_built():
            return self.look()

    def look(self) -> Observation:
        changes = tuple(Change("delete", one.what, one.why) for one in self._found())
        if not changes:
            return absent("nothing that is not configured")
        return replace(drifted(f"not configured any more: {', '.join(one.object for one in changes)}"), changes=changes)

    def apply(self, progress: Progress) -> str:
        return "; ".join(one.remove(progress) for one in self._found()) or "nothing was there"

    def destroy(self, progress: Progress) -> str:
        return self.apply(progress)

    def _found(self) -> Iterator[_Unconfigured]:
        yield from self._model_access()
        yield from self._sign_in()
        for account in accounts.find_unconfigured(self.clients):
            yield _Unconfigured(
                f"Azure OpenAI account {account.name}",
                "azure.openai does not have it",
                lambda progress, account=account: removal.remove(self.clients, account, progress),  # type: ignore[misc]
            )

    def _model_access(self) -> Iterator[_Unconfigured]:
        name = entra_applications.models_name(self.target)
        if not self.target.settings.litellm.keyless and self._marked(name):
            why = "no model is asked without a key"
            yield _Unconfigured(f"application {name} and its roles", why, ModelAccessStep(self.clients).destroy)

    def _sign_in(self) -> Iterator[_Unconfigured]:
        """Where one tool of two is left, its own step removes the other's application."""
        if people.tools(self.target.settings):
            return
        stored = self.clients.aws.platform_secrets()
        names = self._marked(sign_in.prefix(self.clients))
        if names or (stored and stored.sign_in):
            what = f"application{'' if len(names) == 1 else 's'} {' and '.join(names)}" if names else "client secrets of sign-in"
            yield _Unconfigured(what, 'no tool has sign_in = "entra"', sign_in.SignInStep(self.clients).destroy)

    def _marked(self, start: str) -> list[str]:
        """The names of the applications that begin like this and carry this environment's tags."""
        found = self.clients.azure.graph.applications(start)
        return sorted(str(entry["uniqueName"]) for entry in found if entra_applications.marked(self.target, entry))
