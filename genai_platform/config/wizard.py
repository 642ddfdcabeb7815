"""What ``genai init`` asks, as data, and the commented genai.toml that it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError

from genai_platform.config import api_base
from genai_platform.config.azure_models import PRICED
from genai_platform.config.unit_prices import APIM_METERS, TABLE, apim_usd_per_hour
from genai_platform.config.values import (
    AccountId,
    ApiBase,
    AwsRegion,
    AzureRegion,
    CallerName,
    Email,
    Guid,
    Host,
    ModelName,
    Name,
    ResourceGroup,
)

NO_DOMAIN = NO_EMAIL = "none"
ServiceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]$")]
ModelNames = Annotated[tuple[ModelName, ...], BeforeValidator(lambda text: tuple(name.strip() for name in text.split(",")))]


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


QUESTIONS = (
    Question("name", "a name for the platform", "--name", "genai", Name, "lower-case letters, digits, single hyphens between; at most 16"),
    Question("region", "AWS region", "--region", "ap-northeast-1", AwsRegion, "e.g. ap-northeast-1"),
    Question("account_id", "AWS account", "--account-id", "", AccountId, "twelve digits; any other account will be refused"),
    Question(
        "api_base",
        "Azure OpenAI address",
        "--api-base",
        "",
        ApiBase,
        "e.g. https://NAME.openai.azure.com; the portal's target URI will do",
    ),
    Question("models", "Azure OpenAI deployments", "--model", "gpt-4o-mini", ModelNames, "names, separated by commas"),
    Question("zones", "availability zones", "--zones", "2", Annotated[int, Field(ge=2, le=6)], "2 to 6, at most what the region has"),
    Question(
        "nat",
        "NAT gateways",
        "--nat",
        "single",
        Literal["single", "per-zone"],
        "single or per-zone",
        (Choice("single", f"{nat_usd(1)} in all"), Choice("per-zone", f"{nat_usd(1)} for each zone; survives the loss of one")),
    ),
)
AZURE = (
    Question("tenant_id", "Entra ID tenant", "--tenant-id", "", Guid, "a GUID; any other tenant will be refused"),
    Question("subscription_id", "Azure subscription", "--subscription-id", "", Guid, "a GUID; any other subscription will be refused"),
    Question("location", "Azure region", "--location", "japaneast", AzureRegion, "e.g. japaneast"),
    Question(
        "resource_group",
        "resource group",
        "--resource-group",
        "genai",
        ResourceGroup,
        "made, and removed again, when it does not exist",
    ),
    Question(
        "domain",
        "a domain for the load balancer",
        "--domain",
        NO_DOMAIN,
        Host | Literal["none"],
        "inside a Route 53 zone of the AWS account, e.g. genai.example.com; none: API Management cannot check the balancer's certificate",
    ),
    Question(
        "apim",
        "API Management service",
        "--apim",
        "BasicV2",
        ServiceName,
        "the name of a service that exists, or the tier of one to be made",
        tiers(),
    ),
    Question(
        "publisher_email",
        "where Azure writes about the API Management service",
        "--publisher-email",
        NO_EMAIL,
        Email | Literal["none"],
        "an e-mail address that is read; none: to be filled in before the first start",
    ),
    Question("caller", "the first caller", "--caller", "team-a", CallerName, "lower-case letters, digits, hyphens"),
)
"""Asked when API Management goes in front."""


def answer(question: Question, suggestion: str | None, ask: Callable[[str], str], choices: Sequence[Choice] = ()) -> str:
    """Ask until the answer fits.

    Args:
        choices: what was offered, in the order of the numbers that may be answered; none where the values are numbers.
    """
    suggestion = suggestion or question.default
    prompt = f"{question.text} ({question.advice}){f' [{suggestion}]' if suggestion else ''}"
    while True:
        text = _chosen(ask(prompt).strip(), choices) or suggestion
        try:
            TypeAdapter(question.type).validate_python(text)
        except ValidationError:
            pass
        else:
            return text
        prompt = f"'{text}' does not fit: {question.advice}"


def _chosen(text: str, choices: Sequence[Choice]) -> str:
    """The values that numbers, separated by commas, stand for; anything else as it is."""
    words = [word.strip() for word in text.split(",")]
    if not text or not all(word.isdecimal() and 1 <= int(word) <= len(choices) for word in words):
        return text
    return ", ".join(choices[int(word) - 1].value for word in words)


def missing(answers: Mapping[str, str], questions: Sequence[Question] = QUESTIONS) -> list[Question]:
    """Questions without an answer."""
    return [question for question in questions if not (answers.get(question.key) or question.default)]


def models(answers: Mapping[str, str]) -> list[str]:
    """The names of the deployments."""
    return [name.strip() for name in answers["models"].split(",") if name.strip()]


def document(answers: Mapping[str, str], model_of: Mapping[str, str] | None = None, *, keyless: bool = False) -> str:
    """genai.toml. Without a tenant among the answers, the Azure half is off and its keys stand there to be filled in.

    Args:
        model_of: the model behind a deployment, where that is known.
        keyless: the account of Azure OpenAI is in the subscription that is pinned, so that no key is needed.
    """
    answers = {**answers, "api_base": api_base.parse(answers["api_base"]).address}
    text = {key: json.dumps(value, ensure_ascii=False) for key, value in answers.items()}
    domain = answers.get("domain", NO_DOMAIN)
    names = models(answers)
    tables = "".join(
        f"""
[[litellm.models]]
name = {json.dumps(name, ensure_ascii=False)}
azure_deployment = {json.dumps(name, ensure_ascii=False)}
api_base = {text["api_base"]}
{_KEYLESS if keyless else ""}{_model(name, (model_of or {}).get(name, ""))}"""
        for name in names
    )
    secrets = "no model needs a key" if keyless else "the key of Azure OpenAI is read from AZURE_API_KEY"
    return f"""# What `genai` builds. Secrets do not belong here: {secrets}.
# genai.NAME.toml beside this file changes values for `--env NAME`; `genai config show` lists all values and sources.

[platform]
name = {text["name"]}             # first part of every name; lower-case, at most 16 characters
region = {text["region"]}

[aws]
account_id = {text["account_id"]}   # any other account is refused

[network]
cidr = "10.0.0.0/16"
zones = {answers.get("zones", "2")}                  # 2 to the number the region has
{_NAT[answers.get("nat", "single")]}

[cluster]
version = "1.35"
admins = []                # ARNs of further people and pipelines

[ingress]
allowed_cidrs = []         # empty: the address this command comes from
{_DOMAIN if domain == NO_DOMAIN else f"domain = {text['domain']}   # inside a Route 53 zone of this account"}

[litellm]
replicas = 1
{tables}
[langfuse]
post_install = "values"    # values | patch | none
[langfuse.chart]
version = "1.5.41"         # or: repository, oci, path

{_azure(text, names) if answers.get("tenant_id") else _NO_AZURE}
[lifecycle]
down = "everything"        # or "keep-data"
# ends = "8h"              # how long it is meant to exist: status shows it, and warns afterwards
"""


def _model(name: str, model: str) -> str:
    """What a model's table says of what is behind its deployment."""
    lines = ""
    if model and model != name:
        lines += f"base_model = {json.dumps(model, ensure_ascii=False)}\n"
    elif name not in PRICED:
        lines += _BASE_MODEL
    mode = PRICED.get(model or name)
    return lines + (f'mode = "{mode}"\n' if mode not in (None, "chat", "responses") else "")


def _azure(text: Mapping[str, str], names: Sequence[str]) -> str:
    return f"""[azure]
enabled = true             # API Management in front
tenant_id = {text["tenant_id"]}         # any other tenant is refused
subscription_id = {text["subscription_id"]}   # any other subscription is refused
location = {text["location"]}
resource_group = {text["resource_group"]}   # made by this tool: removed by it; existing: never
auth = "cli"               # cli | service_principal | workload_identity | managed_identity
[azure.apim]
{_service(text)}
{_email(text)}
{"" if json.loads(text.get("domain", '"none"')) != NO_DOMAIN else _UNVERIFIED}[azure.callers.{json.loads(text["caller"])}]
models = {json.dumps(list(names), ensure_ascii=False)}
max_budget = 50            # US dollars in the time below
budget_duration = "30d"
"""


def _service(text: Mapping[str, str]) -> str:
    name = text.get("apim", '"BasicV2"')
    if json.loads(name) in {*APIM_METERS, "Consumption"}:
        return f'sku = {name}            # or: existing = "name"'
    return f"existing = {name}   # only this environment's objects in it are touched"


def _email(text: Mapping[str, str]) -> str:
    if text.get("publisher_email", json.dumps(NO_EMAIL)) == json.dumps(NO_EMAIL):
        return _EMAIL
    return f"publisher_email = {text['publisher_email']}   # where Azure writes about the service"


_NAT = {
    "single": 'nat = "single"             # or "per-zone": survives the loss of a zone, costs more',
    "per-zone": 'nat = "per-zone"           # or "single": costs less, and does not survive the loss of its zone',
}
_EMAIL = '# publisher_email = "you@example.com"   # where Azure writes about the service; fill it in before `genai up`'
_KEYLESS = """auth = "entra"             # no key: LiteLLM signs in with Entra ID; "key": AZURE_API_KEY
"""
_BASE_MODEL = """# base_model = "gpt-4o"    # what the deployment is of, as it has another name: price, budgets, parameters
"""
_DOMAIN = '# domain = "genai.example.com"   # inside a Route 53 zone of this account'
_UNVERIFIED = """unverified_backend = true  # no domain: API Management cannot check the load balancer's certificate
"""
_NO_AZURE = """[azure]
enabled = false            # true: API Management in front; then fill in the rest
# tenant_id = "…"
# subscription_id = "…"
# location = "japaneast"
# resource_group = "…"     # made by this tool: removed by it; existing: never
# auth = "cli"             # cli | service_principal | workload_identity | managed_identity
# [azure.apim]
# sku = "BasicV2"          # or: existing = "name"
# publisher_email = "you@example.com"   # where Azure writes about the service
# unverified_backend = true   # needed without ingress.domain: see docs, security, "Transport"
# [azure.callers.team-a]
# models = ["gpt-4o-mini"]
# max_budget = 50          # US dollars in the time below
# budget_duration = "30d"
"""
