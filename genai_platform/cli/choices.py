"""What ``genai init`` offers to choose from: found in the clouds with whatever credentials are at hand, each with what it costs.

Where nothing is found (nobody is signed in, or the identity may not look), the same questions are answered by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from genai_platform.config.wizard import Choice, tiers
from genai_platform.errors import GenaiError

if TYPE_CHECKING:
    from genai_platform.config.target import Target
    from genai_platform.tools.aws.client import Aws
    from genai_platform.tools.azure import Azure
    from genai_platform.tools.azure.cognitive import Account, Deployment

_BY_THE_TOKEN = "paid by the token, whether it is used through the platform or not"  # noqa: S105 (not a secret)


@dataclass
class Finder:
    """Looks things up when they are first needed."""

    target: Target
    """Whose credentials are used; its settings are not."""
    unseen: list[str] = field(default_factory=list)
    """What could not be looked up, one line each."""
    _azures: dict[tuple[str, str], Azure] = field(default_factory=dict)
    _known_accounts: dict[tuple[str, str], list[Account]] = field(default_factory=dict)

    def found(self, key: str, answers: Mapping[str, str]) -> list[Choice]:
        """The choices for a question of the wizard, by what is known so far."""
        finders: Mapping[str, Callable[[Mapping[str, str]], Iterable[Choice]]] = {
            "region": self._regions, "zones": self._zones, "bedrock_models": self._bedrock,
            "api_base": self._accounts, "models": self._models,
            "subscription_id": self._subscriptions, "location": self._locations, "apim": self._services,
        }  # fmt: skip
        if key not in finders:
            return []
        try:
            return list(finders[key](answers))
        except GenaiError as error:
            self.unseen.append(error.message)
            return []

    def tell_unseen(self, say: Callable[[str], None]) -> None:
        """Say what could not be looked up since this was last asked."""
        while self.unseen:
            say(f"not offered: {self.unseen.pop(0)}")

    def model_of(self, answers: Mapping[str, str]) -> dict[str, str]:
        """The model behind each deployment of the chosen resource; empty where that is not known."""
        if not answers.get("api_base"):
            return {}
        try:
            return {one.name: one.model for one in self._deployments(answers)}
        except GenaiError:
            return {}

    def keyless(self, answers: Mapping[str, str]) -> bool:
        """Whether the chosen account is known to be in the subscription that is to be pinned, and takes tokens at that address."""
        chosen = answers.get("api_base", "").rstrip("/")
        if not answers.get("tenant_id") or not chosen.startswith("https://") or ".api.cognitive." in chosen:
            return False
        try:
            return any(one.endpoint == chosen for one in self._accounts_of(answers))
        except GenaiError:
            return False

    # -- AWS --------------------------------------------------------------------------------------
    @cached_property
    def _aws(self) -> Aws:
        from genai_platform.tools.aws.client import Aws

        return Aws(self.target)

    def _regions(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        from genai_platform.config.unit_prices import AWS_REGION
        from genai_platform.tools.aws.regions import enabled

        for name in enabled(self._aws) if answers.get("signed_in") else ():
            yield Choice(name, "the prices shown here are this region's" if name == AWS_REGION else "")

    def _zones(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        from genai_platform.config.wizard import nat_usd

        if not answers.get("signed_in"):
            return
        zones = self._aws.sharing(self.target.having("platform", region=answers["region"])).zones()
        for count in range(2, min(len(zones), 6) + 1):
            yield Choice(str(count), f"{', '.join(zones[:count])}; with a NAT gateway in each {nat_usd(count)}, with one {nat_usd(1)}")

    def _bedrock(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        from genai_platform.config.models import BedrockModel
        from genai_platform.tools.aws.bedrock import offers

        if not answers.get("signed_in"):
            return
        # One without a price would cost nothing in LiteLLM's books, and no budget would close on it; its id can still be typed.
        region = answers["region"]
        offered = [one for one in offers(self._aws, region) if BedrockModel.is_priced(one.id)]
        # Models that chat first: an empty line takes the first one.
        for one in sorted(offered, key=lambda one: ("embed" in one.id, one.profile, one.id)):
            where = "may be answered in other regions" if one.profile else f"answered in {region}"
            yield Choice(one.id, f"{one.name}, {where}; paid by the token")

    # -- Azure ------------------------------------------------------------------------------------
    def _azure(self, answers: Mapping[str, str]) -> Azure | None:
        from genai_platform.tools.azure import Azure

        tenant, subscription = answers.get("tenant_id"), answers.get("subscription_id")
        if not tenant or not subscription:
            return None
        if (tenant, subscription) not in self._azures:
            self._azures[tenant, subscription] = Azure(self.target.having("azure", tenant_id=tenant, subscription_id=subscription))
        return self._azures[tenant, subscription]

    def _subscriptions(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        azure = self._azure(answers)
        for id, name in azure.listings.subscriptions().items() if azure else ():
            yield Choice(id, name)

    def _locations(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        azure = self._azure(answers)
        for name, shown in azure.listings.locations().items() if azure else ():
            yield Choice(name, shown)

    def _services(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        azure = self._azure(answers)
        for one in azure.apim.every() if azure else ():
            yield Choice(one.name, f"exists in {one.location}, {one.sku}: costs nothing more")
        yield from tiers()

    def _accounts_of(self, answers: Mapping[str, str]) -> list[Account]:
        azure = self._azure(answers)
        if azure is None:
            return []
        key = (azure.tenant, azure.subscription)
        if key not in self._known_accounts:
            self._known_accounts[key] = azure.cognitive.everywhere()
        return self._known_accounts[key]

    def _accounts(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        for one in self._accounts_of(answers):
            yield Choice(one.endpoint, f"{one.name} in {one.location}, {_BY_THE_TOKEN}")

    def _deployments(self, answers: Mapping[str, str]) -> list[Deployment]:
        azure = self._azure(answers)
        chosen = next((one for one in self._accounts_of(answers) if one.endpoint == answers.get("api_base", "").rstrip("/")), None)
        return azure.cognitive.deployments(chosen.group, chosen.name) if azure and chosen else []

    def _models(self, answers: Mapping[str, str]) -> Iterable[Choice]:
        for one in self._deployments(answers):
            paid = "paid by the hour" if "provisioned" in one.sku.lower() else "paid by the token"
            yield Choice(one.name, f"{one.model}, {one.sku}: {paid}")
