"""What ``genai init`` asks, as data. The file that is written from the answers: ``config/wizard_file.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError

from genai_platform.config import values
from genai_platform.config.sign_in import FREE_SEATS, Person, Way
from genai_platform.config.unit_prices import APIM_METERS, TABLE, apim_usd_per_hour

NO_DOMAIN = NO_EMAIL = "none"
ServiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]$")]
_SEPARATED = BeforeValidator(lambda text: words(text))
ModelNames = Annotated[tuple[values.ModelName, ...], _SEPARATED]
BedrockIds = Annotated[tuple[values.BedrockId, ...], _SEPARATED]
People = Annotated[tuple[Person, ...], _SEPARATED]
Provider = Literal["azure", "bedrock", "openai"]
Providers = Annotated[tuple[Provider, ...], _SEPARATED]


def words(text: str) -> tuple[str, ...]:
    """What is separated by commas."""
    return tuple(word.strip() for word in text.split(","))


@dataclass(frozen=True)
class Choice:
    """An answer that is offered, and what it means or costs."""

    value: str
    text: str = ""


def nat_usd(count: int) -> str:
    """What so many NAT gateways with their addresses cost, for people."""
    return f"${count * (TABLE['nat-gateway'].usd_per_hour + TABLE['public-ipv4'].usd_per_hour):.2f}/h"


def tiers() -> tuple[Choice, ...]:
    """The tiers in which a service can be made. (Consumption cannot stream, which is what is configured here.)"""
    return tuple(Choice(name, f"made and removed with the platform, ${apim_usd_per_hour(name):.2f}/h") for name in APIM_METERS)


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        type: what an answer may be, as the settings define it; an empty answer means the default.
    """

    key: str
    text: str
    flag: str
    default: str
    type: Any
    advice: str
    choices: tuple[Choice, ...] = ()
    """What is offered wherever nothing better is found."""
    only: tuple[str, str] | None = None
    """Asked only where the answer to that question has that word."""

    def concerns(self, answers: Mapping[str, str]) -> bool:
        """Whether the answers to the questions before it lead to this one."""
        return self.only is None or self.only[1] in words(answers.get(self.only[0], ""))

    def fits(self, text: str) -> bool:
        """Whether this may be its answer."""
        try:
            TypeAdapter(self.type).validate_python(text)
        except ValidationError:
            return False
        return True


_AZURE_OPENAI, _BEDROCK, _OPENAI = (("providers", name) for name in ("azure", "bedrock", "openai"))
QUESTIONS = (
    Question("name", "a name for the platform", "--name", "genai", values.Name,
        "lower-case letters, digits, single hyphens between; at most 16"),
    Question("region", "AWS region", "--region", "ap-northeast-1", values.AwsRegion, "e.g. ap-northeast-1"),
    Question("account_id", "AWS account", "--account-id", "", values.AccountId, "twelve digits; any other account will be refused"),
    Question("providers", "who serves the models", "--provider", "azure", Providers,
        "azure, bedrock or openai; several, separated by commas", (
            Choice("azure", "Azure OpenAI"),
            Choice("bedrock", "Amazon Bedrock, asked with the platform's own role: no key"),
            Choice("openai", "OpenAI, vLLM or another address with OpenAI's API"),
        )),
    Question("api_base", "Azure OpenAI address", "--api-base", "", values.ApiBase,
        "e.g. https://NAME.openai.azure.com; the portal's target URI will do", only=_AZURE_OPENAI),
    Question("models", "Azure OpenAI deployments", "--model", "gpt-4o-mini", ModelNames, "names, separated by commas", only=_AZURE_OPENAI),
    Question("bedrock_models", "models of Amazon Bedrock", "--bedrock-model", "", BedrockIds,
        "ids of models or inference profiles, e.g. amazon.nova-lite-v1:0; several, separated by commas", only=_BEDROCK),
    Question("openai_base", "address with OpenAI's API", "--openai-base", "https://api.openai.com/v1", values.OpenAIBase,
        "what its routes begin with, e.g. https://HOST/v1", only=_OPENAI),
    Question("openai_models", "models there", "--openai-model", "gpt-4o-mini", ModelNames, "names, separated by commas", only=_OPENAI),
    Question("zones", "availability zones", "--zones", "2", Annotated[int, Field(ge=2, le=6)], "2 to 6, at most what the region has"),
    Question("nat", "NAT gateways", "--nat", "single", Literal["single", "per-zone"], "single or per-zone",
        (Choice("single", f"{nat_usd(1)} in all"), Choice("per-zone", f"{nat_usd(1)} for each zone; survives the loss of one"))),
)  # fmt: skip
AZURE = (
    Question("tenant_id", "Entra ID tenant", "--tenant-id", "", values.Guid, "a GUID; any other tenant will be refused"),
    Question("subscription_id", "Azure subscription", "--subscription-id", "", values.Guid,
        "a GUID; any other subscription will be refused"),
    Question("location", "Azure region", "--location", "japaneast", values.AzureRegion, "e.g. japaneast"),
    Question("resource_group", "resource group", "--resource-group", "genai", values.ResourceGroup,
        "made, and removed again, when it does not exist"),
    Question("domain", "a domain for the load balancer", "--domain", NO_DOMAIN, values.Host | Literal["none"],
        "inside a Route 53 zone of the AWS account, e.g. genai.example.com; none: API Management cannot check the balancer's certificate"),
    Question("apim", "API Management service", "--apim", "BasicV2", ServiceName,
        "the name of a service that exists, or the tier of one to be made", tiers()),
    Question("publisher_email", "where Azure writes about the API Management service", "--publisher-email", NO_EMAIL,
        values.Email | Literal["none"], "an e-mail address that is read; none: to be filled in before the first start"),
    Question("caller", "the first caller", "--caller", "team-a", values.CallerName, "lower-case letters, digits, hyphens"),
    Question("sign_in", "how people sign in to LiteLLM and Langfuse", "--sign-in", "password", Way, "password or entra", (
        Choice("password", "with the passwords that the platform makes"),
        Choice("entra", f"with Entra ID; LiteLLM's open edition then takes {FREE_SEATS} users, callers among them"),
    )),
    Question("people", "who may sign in", "--person", "", People,
        "user principal names, e.g. anna@example.com, or object ids, separated by commas", only=("sign_in", "entra")),
)  # fmt: skip
"""Asked when API Management goes in front."""


def implied(given: Mapping[str, str]) -> dict[str, str]:
    """What is given, with the answers that follow from it: who names a model of Amazon Bedrock wants Amazon Bedrock."""
    found = dict(given)
    for one in (*QUESTIONS, *AZURE):
        if one.only and one.key in given:
            key, word = one.only
            found[key] = ", ".join(dict.fromkeys([*(words(found[key]) if key in found else ()), word]))
    return found


def answer(question: Question, suggestion: str | None, ask: Callable[[str], str], choices: Sequence[Choice] = ()) -> str:
    """Ask until the answer fits.

    Args:
        choices: what was offered, in the order of the numbers that may be answered; none where the values are numbers.
    """
    suggestion = suggestion or question.default
    prompt = f"{question.text} ({question.advice}){f' [{suggestion}]' if suggestion else ''}"
    while True:
        text = _chosen(ask(prompt).strip(), choices) or suggestion
        if question.fits(text):
            return text
        prompt = f"'{text}' does not fit: {question.advice}"


def _chosen(text: str, choices: Sequence[Choice]) -> str:
    """The values that numbers, separated by commas, stand for; anything else as it is."""
    said = words(text)
    if not text or not all(word.isdecimal() and 1 <= int(word) <= len(choices) for word in said):
        return text
    return ", ".join(choices[int(word) - 1].value for word in said)


def missing(answers: Mapping[str, str], questions: Sequence[Question] = QUESTIONS) -> list[Question]:
    """Questions without an answer."""
    known = {question.key: answers.get(question.key) or question.default for question in questions}
    return [question for question in questions if question.concerns(known) and not known[question.key]]
