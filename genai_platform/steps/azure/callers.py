"""azure.callers: every configured caller, complete; those that are configured no longer, gone."""

from __future__ import annotations

from genai_platform.errors import GenaiError
from genai_platform.graph.step import Finding, Progress
from genai_platform.steps.azure import questions, site
from genai_platform.steps.azure.application import purge_deleted
from genai_platform.steps.azure.callers_work import Callers
from genai_platform.steps.azure.site import AzureStep, absent, drifted, present
from genai_platform.tools.kube import ClusterAbsent


class CallersStep(AzureStep):
    """Identity, role, user, key and stored secret of each caller."""

    id = "azure.callers"
    needs = ("azure.application", "azure.access", "litellm.proxy")
    minutes = 1.0
    limit = 7200.0
    what = "callers"

    def look(self) -> Finding:
        if site.find_vault(self.doors) is None:
            return self._without_vault()
        work = Callers(self.doors)
        if not work.applications and not work.kept and not self._secrets(work):
            return absent("no caller has an identity") if work.configured else present("no caller is configured")
        if not self.doors.kube.exists():
            return drifted("LiteLLM is not there: its keys are missing")
        work.look()
        faults = {name: found for name in sorted(work.configured) if (found := work.faults(name))}
        lines = [f"{name} {found[0]}" for name, found in faults.items()]
        lines += [f"{name} is configured no longer" for name in work.orphans()]
        if lines:
            return drifted("; ".join(lines[:3]) + (f" and {len(lines) - 3} more" if len(lines) > 3 else ""))
        revoked = sum(work.revoked(name) for name in work.configured)
        return present(f"{len(work.configured)} complete" + (f", of which {revoked} revoked" if revoked else ""))

    def _without_vault(self) -> Finding:
        work = Callers(self.doors)
        if work.applications or work.kept:
            return drifted("the vault with the callers' keys is missing")
        return absent("no caller has an identity")

    @staticmethod
    def _secrets(work: Callers) -> bool:
        try:
            return bool(work.secrets)
        except GenaiError as error:
            # Before azure.access there is no right to look: then nothing of ours can have been stored either.
            if error.id == "azure.403":
                return False
            raise

    def apply(self, progress: Progress) -> str:
        questions.expiries(self.target)
        work = Callers(self.doors)
        progress.say("looking at the callers")
        work.look()
        gone = work.orphans()
        lines = [work.remove(gone, progress)] if gone else []
        if gone:
            purge_deleted(self.doors, site.caller_prefix(self.target), progress)
        lines.append(work.ensure_all(sorted(work.configured), progress))
        return "; ".join(lines)

    def destroy(self, progress: Progress) -> str:
        work = Callers(self.doors)
        names = sorted(set(work.applications) | set(work.kept) | set(work.configured))
        vault = site.find_vault(self.doors)
        if vault is None:
            work.__dict__["secrets"] = {}
        else:
            names = sorted(set(names) | set(work.orphans()))
        if self.doors.azure.graph.application(site.api_name(self.target)) is None:
            work.__dict__["assigned"] = {}
        text = work.remove(names, progress, litellm=self._litellm(work))
        kept = purge_deleted(self.doors, site.caller_prefix(self.target), progress)
        work.store.delete()
        return "; ".join(filter(None, (text, kept)))

    def _litellm(self, work: Callers) -> bool:
        """Whether LiteLLM can still be asked. Where it is gone, its keys are gone with its database."""
        try:
            if not self.doors.kube.exists():
                return False
            return bool(work.users) or True
        except (ClusterAbsent, GenaiError):
            return False
