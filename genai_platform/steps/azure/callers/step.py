"""azure.callers: every configured caller, complete; those that are not configured any more, gone."""

from __future__ import annotations

from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import NeverBuilt
from genai_platform.steps.azure import entra_applications, lookup
from genai_platform.steps.azure.application import purge_deleted
from genai_platform.steps.azure.callers import settings as caller_settings
from genai_platform.steps.azure.callers.ensure import ensure_all
from genai_platform.steps.azure.callers.observed import Callers, observe
from genai_platform.steps.azure.callers.observed_keys import QUICK, Unseen
from genai_platform.steps.azure.callers.unconfigured import remove, traces, unconfigured
from genai_platform.steps.azure.lookup import AzureStep


class CallersStep(AzureStep):
    """Identity, role, user, key and stored secret of each caller."""

    id = "azure.callers"
    # Both write the document of client secrets: one after the other.
    needs = ("azure.application", "azure.access", "azure.check_applications", "litellm.proxy", "litellm.ingress")
    minutes = 1.0
    limit = 7200.0
    what = "callers"

    def look(self) -> Observation:
        return self._judged(observe(self.clients))

    def quick_look(self) -> Observation:
        return self._judged(observe(self.clients, within=QUICK))

    def _judged(self, work: Callers) -> Observation:
        stored, identities = work.stored_keys, bool(work.applications or work.kept)
        if isinstance(stored, Unseen) and isinstance(stored.error, NeverBuilt):
            return drifted("the vault with the callers' keys is missing") if identities else absent("no caller has an identity")
        # Before azure.access there is no right to look: then nothing of this environment can have been stored either.
        if not identities and (isinstance(stored, Unseen) or not stored.secrets):
            return absent("no caller has an identity") if work.configured else present("no caller is configured")
        if isinstance(work.issued_keys, Unseen) and isinstance(work.issued_keys.error, NeverBuilt):
            return drifted(work.issued_keys.error.message)
        work.need()
        faults = {name: found for name in sorted(work.configured) if (found := work.faults(name))}
        lines = [f"{name} {found[0]}" for name, found in faults.items()]
        lines += [f"{trace.caller} ({trace.client_id or 'holds the role'}) is not configured any more" for trace in unconfigured(work)]
        if lines:
            return drifted("; ".join(lines[:3]) + (f" and {len(lines) - 3} more" if len(lines) > 3 else ""))
        revoked = sum(work.revoked(name) for name in work.configured)
        return present(f"{len(work.configured)} complete" + (f", of which {revoked} revoked" if revoked else ""))

    def apply(self, progress: Progress) -> str:
        caller_settings.callers(self.target)
        progress.say("looking at the callers")
        work, lines = observe(self.clients, lookup.PATIENCE), []
        gone = unconfigured(work)
        if gone:
            lines = [remove(work, gone, progress)]
            purge_deleted(self.clients, entra_applications.caller_prefix(self.target), progress)
            work = observe(self.clients, lookup.PATIENCE)
        lines.append(ensure_all(work, sorted(work.configured), progress))
        return "; ".join(lines)

    def destroy(self, progress: Progress) -> str:
        work = observe(self.clients)
        lines = [remove(work, traces(work), progress)]
        # What is gone already, or cannot be seen, must not keep the rest from going: the vault is purged whole.
        for part, text in (
            (work.stored_keys, "the vault's secrets could not be seen and go with the vault"),
            (work.issued_keys, "LiteLLM did not answer: its keys end with its database"),
        ):
            if isinstance(part, Unseen) and not isinstance(part.error, NeverBuilt):
                lines.append(text)
        lines.append(purge_deleted(self.clients, entra_applications.caller_prefix(self.target), progress))
        work.store.delete_when_empty()
        return "; ".join(filter(None, lines))
