"""The commented genai.toml that ``genai init`` writes from the answers (``config/wizard.py``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from genai_platform.config import wizard_models
from genai_platform.config.unit_prices import APIM_METERS
from genai_platform.config.wizard import NO_DOMAIN, NO_EMAIL, words
from genai_platform.config.wizard_models import ModelTable


def document(answers: Mapping[str, str], model_of: Mapping[str, str] | None = None, *, keyless: bool = False) -> str:
    """genai.toml. Without a tenant among the answers, the Azure half is off and its keys stand there to be filled in.

    Args:
        model_of: the model behind a deployment, where that is known.
        keyless: the account of Azure OpenAI is in the subscription that is pinned, so that no key is needed.
    """
    text = {key: json.dumps(value, ensure_ascii=False) for key, value in answers.items()}
    domain = answers.get("domain", NO_DOMAIN)
    models = wizard_models.tables(answers, model_of or {}, keyless=keyless)
    front, entra = bool(answers.get("tenant_id")), answers.get("sign_in") == "entra"
    people = words(answers["people"]) if entra else ()
    return f"""# What `genai` builds. Secrets do not belong here: {_secrets(models)}.
# genai.NAME.toml next to this file changes values for `--env NAME`; `genai config show` lists all values and sources.

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
{_SIGN_IN if entra else ""}{"".join(model.toml for model in models)}
[langfuse]
post_install = "values"    # values | patch | none
{_SIGN_IN + _owner(people) if entra else ""}[langfuse.chart]
version = "1.5.41"         # or: repository, oci, path

{_who(people) if entra else ""}{_azure(text, [model.name for model in models]) if front else _without_azure(models)}
[lifecycle]
down = "everything"        # or "keep-data"
# ends = "8h"              # how long it is meant to exist: status shows it, and warns afterwards
"""


def _secrets(models: Sequence[ModelTable]) -> str:
    """Where the models' keys come from."""
    variables = dict.fromkeys(model.variable for model in models if model.variable)
    if not variables:
        return "no model needs a key"
    return f"the models' keys are read from {' and '.join(variables)}" if len(variables) > 1 else _KEY_OF[next(iter(variables))]


def _who(people: Sequence[str]) -> str:
    """``[sign_in]``."""
    return f"""[sign_in]
people = {json.dumps(people, ensure_ascii=False)}
groups = []                # object ids of groups whose members may sign in, too
litellm_role = "internal_user_viewer"   # of everybody who has no other one below
langfuse_role = "VIEWER"   # OWNER | ADMIN | MEMBER | VIEWER
# [sign_in.litellm_roles]
# {json.dumps(people[0], ensure_ascii=False)} = "proxy_admin"

"""


def _owner(people: Sequence[str]) -> str:
    """The first who is known by an address owns Langfuse's organisation: nobody could sign in as the owner that it has otherwise."""
    address = next((json.dumps(one, ensure_ascii=False) for one in people if "@" in one), "")
    return f"user_email = {address}   # owns Langfuse's organisation\n" if address else ""


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


def _without_azure(models: Sequence[ModelTable]) -> str:
    return f"""[azure]
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
# models = {json.dumps([model.name for model in models[:1]], ensure_ascii=False)}
# max_budget = 50          # US dollars in the time below
# budget_duration = "30d"
"""


def _service(text: Mapping[str, str]) -> str:
    name = text.get("apim", '"BasicV2"')
    if json.loads(name) in {*APIM_METERS, "Consumption"}:
        return f'sku = {name}            # or: existing = "name"'
    return f"existing = {name}   # only this environment's objects in it are touched"


def _email(text: Mapping[str, str]) -> str:
    if text.get("publisher_email", json.dumps(NO_EMAIL)) == json.dumps(NO_EMAIL):
        return '# publisher_email = "you@example.com"   # where Azure writes about the service; fill it in before `genai up`'
    return f"publisher_email = {text['publisher_email']}   # where Azure writes about the service"


_NAT = {
    "single": 'nat = "single"             # or "per-zone": survives the loss of a zone, costs more',
    "per-zone": 'nat = "per-zone"           # or "single": costs less, and does not survive the loss of its zone',
}
_KEY_OF = {
    "AZURE_API_KEY": "the key of Azure OpenAI is read from AZURE_API_KEY",
    "OPENAI_API_KEY": "the key of the models is read from OPENAI_API_KEY",
}
_SIGN_IN = 'sign_in = "entra"          # people sign in with Entra ID; "password": with passwords\n'
_DOMAIN = '# domain = "genai.example.com"   # inside a Route 53 zone of this account'
_UNVERIFIED = "unverified_backend = true  # no domain: API Management cannot check the load balancer's certificate\n"
