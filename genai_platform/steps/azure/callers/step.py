"""azure.callers: every configured caller, complete; those that are configured no longer, gone."""

from __future__ import annotations

from genai_platform.engine.step import Observation, Progress
from genai_platform.errors import Forbidden, GenaiError
from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.azure.application import purge_deleted
from genai_platform.steps.azure.callers import settings as caller_settings
from genai_platform.steps.azure.callers.ensure import ensure_all
from genai_platform.steps.azure.callers.observed import Callers
from genai_platform.steps.azure.callers.remove import remove
from genai_platform.steps.azure.callers.unconfigured import strays, traces
from genai_platform.steps.azure.lookup import AzureStep, absent, drifted, present


class CallersStep(AzureStep):
    """Identity, role, user, key and stored secret of each caller."""

    id = "azure.callers"
    # Both write the document of client secrets: one after the other.
    needs = ("azure.application", "azure.access", "azure.check_applications", "litellm.proxy", "litellm.ingress")
    minutes = 1.0
    limit = 7200.0
    what = "callers"

    def look(self) -> Observation:
        work = Callers(self.clients)
        identities = bool(work.applications or work.kept)
        if lookup.find_vault(self.clients) is None:
            if identities:
                return drifted("the vault with the callers' keys is missing")
            return absent("no caller has an identity")
        if not identities and not _secrets(work):
            return absent("no caller has an identity") if work.configured else present("no caller is configured")
        if not self.clients.kube.exists():
            return drifted("LiteLLM is not there: its keys are missing")
        work.look()
        faults = {name: found for name in sorted(work.configured) if (found := work.faults(name))}
        lines = [f"{name} {found[0]}" for name, found in faults.items()]
        lines += [f"{trace.caller} ({trace.client_id or 'holds the role'}) is configured no longer" for trace in strays(work)]
        if lines:
            return drifted("; ".join(lines[:3]) + (f" and {len(lines) - 3} more" if len(lines) > 3 else ""))
        revoked = sum(work.revoked(name) for name in work.configured)
        return present(f"{len(work.configured)} complete" + (f", of which {revoked} revoked" if revoked else ""))

    def apply(self, progress: Progress) -> str:
        caller_settings.callers(self.target)
        work, lines = Callers(self.clients, lookup.PATIENCE), []
        progress.say("looking at the callers")
        work.look()
        gone = strays(work)
        if gone:
            lines = [remove(work, gone, progress)]
            purge_deleted(self.clients, entra_applications.caller_prefix(self.target), progress)
            work = Callers(self.clients, lookup.PATIENCE)
        lines.append(ensure_all(work, sorted(work.configured), progress))
        return "; ".join(lines)

    def destroy(self, progress: Progress) -> str:
        work, lines = Callers(self.clients), []
        # What is gone already, or cannot be seen, must not keep the rest from going: the vault is purged whole.
        if lookup.find_vault(self.clients) is None:
            work.__dict__["secrets"] = {}
        elif not _may_see(work):
            work.__dict__["secrets"] = {}
            lines = ["the vault's secrets could not be seen and go with the vault"]
        if entra_applications.application(self.clients, entra_applications.api_name(self.target)) is None:
            work.__dict__ |= {"assigned": {}, "holders": {}}
        asked = self._litellm(work)
        if not asked:
            work.__dict__ |= {"users": {}, "keys": {}}
        if asked is None:
            lines.append("LiteLLM did not answer: its keys end with its database")
        lines.insert(0, remove(work, traces(work), progress, litellm=bool(asked)))
        lines.append(purge_deleted(self.clients, entra_applications.caller_prefix(self.target), progress))
        work.store.delete_when_empty()
        return "; ".join(filter(None, lines))

    def _litellm(self, work: Callers) -> bool | None:
        """Whether LiteLLM can be asked; None: it should be there and does not answer, which must not keep the rest from going."""
        if not self.clients.kube.exists():
            return False
        try:
            work.users, work.keys  # noqa: B018 - looks, and remembers
        except GenaiError:
            return None
        return True


def _may_see(work: Callers) -> bool:
    try:
        return work.secrets is not None
    except GenaiError as error:
        if isinstance(error, Forbidden):
            return False
        raise


def _secrets(work: Callers) -> bool:
    # Before azure.access there is no right to look: then nothing can have been stored either.
    return _may_see(work) and bool(work.secrets)
