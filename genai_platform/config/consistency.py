"""What values say together: each may be right alone, and they still contradict each other.

Looks at merged values before they are typed, so that contradictions are told together with the faults of single values.
What has the wrong type is passed over here: it is a fault already.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from genai_platform.config import api_base, azure_openai, keyless, model_defaults, model_groups, sign_in
from genai_platform.config.azure_models import RESPONSES_API_VERSION
from genai_platform.config.extra_config import IDENTITY, OWN_VARIABLES
from genai_platform.config.merged import Contradiction, entries, extra_config, known_models, table, texts, unknown_models
from genai_platform.config.models import default_api_version, needs_responses
from genai_platform.config.values import is_public


def contradictions(values: Mapping[str, Any]) -> list[Contradiction]:
    """Every contradiction in these settings."""
    values = model_defaults.completed(values)
    looks = (
        model_groups.contradictions, azure_openai.contradictions, keyless.contradictions, _key_names, _deployments, _target_uris,
        _api_versions, _models_of_callers, _clients_of_callers, _ports, _networks, _china, _gateway, _backend, _chart, _langfuse,
        sign_in.contradictions,
    )  # fmt: skip
    return [found for look in looks for found in look(values)]


def _key_names(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """A model's key must not take the place of one of the proxy's own variables."""
    for number, entry in enumerate(entries(values)):
        name = entry.get("api_key_env")
        if isinstance(name, str) and (OWN_VARIABLES.fullmatch(name) or IDENTITY.fullmatch(name)):
            yield ("litellm", "models", number, "api_key_env"), f"LiteLLM reads {name} itself; choose another name, e.g. AZURE_{name}"
    if extra := extra_config(values):
        for name in filter(IDENTITY.fullmatch, extra.variables):
            problem = f"{extra.path}: LiteLLM's pods have {name} from their role; choose another name, e.g. MY_{name}"
            yield ("litellm", "extra_config"), problem


def _deployments(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """LiteLLM keeps what it knows of a model under its deployment's name, once: of two modes one would win for both."""
    seen: dict[str, tuple[str, str]] = {}
    for number, entry in enumerate(entries(values)):
        deployment, mode = entry.get("azure_deployment") or entry.get("model"), str(entry.get("mode", "chat"))
        if not isinstance(deployment, str):
            continue
        first = seen.setdefault(deployment, (str(entry.get("name")), mode))
        if mode != first[1] and "responses" in (mode, first[1]):
            yield (
                ("litellm", "models", number, "mode"),
                f"the deployment '{deployment}' is {first[1]} in '{first[0]}' and {mode} here; LiteLLM takes one mode for both."
                " One entry is enough: a chat model also answers /v1/responses where its api_version serves that",
            )


def _target_uris(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """A portal's target URI names deployment and api-version, too: they must not be other ones than configured."""
    for number, entry in enumerate(entries(values)):
        if not isinstance(entry.get("api_base"), str) or entry.get("provider", "azure") != "azure":
            continue
        found = api_base.parse(entry["api_base"])
        for key, said in (("azure_deployment", found.deployment), ("api_version", found.api_version)):
            configured = entry.get(key, default_api_version(entry) if key == "api_version" else said)
            if said is not None and configured != said:
                advice = f"give as api_base {found.address} alone, or correct one of them"
                yield ("litellm", "models", number, key), f"'{configured}' is not what api_base says: '{said}'; {advice}"


def _api_versions(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    for number, entry in enumerate(entries(values)):
        version = entry.get("api_version")
        if isinstance(version, str) and needs_responses(entry) and version[:1].isdigit() and version < RESPONSES_API_VERSION[:10]:
            lacks = f"'{version}' has no /openai/responses, by which this model is asked"
            yield ("litellm", "models", number, "api_version"), f"{lacks}; expected {RESPONSES_API_VERSION} or later, or v1"


def _clients_of_callers(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """One application is one caller."""
    seen: dict[str, str] = {}
    for caller, wanted in table(values, "azure", "callers").items():
        client = table(wanted).get("client_id")
        if isinstance(client, str) and (other := seen.setdefault(client.lower(), caller)) != caller:
            problem = f"{client} is the caller '{other}' already; each needs an application of its own"
            yield ("azure", "callers", caller, "client_id"), problem


def _models_of_callers(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    known = known_models(values)
    for caller, wanted in table(values, "azure", "callers").items():
        for problem in unknown_models(texts(table(wanted).get("models")), known):
            yield ("azure", "callers", caller, "models"), problem


def _ports(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """One load balancer: what has no name of its own needs a port of its own."""
    ingress = table(values, "ingress")
    litellm, langfuse = _listeners(ingress)
    if litellm == langfuse and ingress.get("domain") is None:
        yield ("ingress", "langfuse_port"), f"{langfuse} is LiteLLM's port, too; without a domain each needs its own"
    if table(values, "azure").get("enabled") is True and (gateway := ingress.get("gateway_port")) in (litellm, langfuse):
        yield ("ingress", "gateway_port"), f"{gateway} is taken by {'LiteLLM' if gateway == litellm else 'Langfuse'}; it needs its own"


def _listeners(ingress: Mapping[str, Any]) -> tuple[Any, Any]:
    """The ports of LiteLLM and Langfuse on the load balancer."""
    plain, named = ingress.get("tls") == "none", ingress.get("domain") is not None
    litellm = ingress.get("litellm_port") or (80 if plain else 443)
    return litellm, ingress.get("langfuse_port") or (3000 if plain else 443 if named else 8443)


_RULES = 60 - 2
"""Amazon VPC quotas: inbound rules a security group, of IPv4 and of IPv6 each. Two are left for API Management's port."""
_PUBLIC_NETWORKS = 40
"""Amazon EKS quotas: public endpoint access CIDR ranges a cluster."""


def _networks(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """The load balancer's security group has a rule for each network and port; EKS takes a list of its own length."""
    ingress, cluster = table(values, "ingress"), table(values, "cluster")
    allowed = _parsed(ingress.get("allowed_cidrs"))
    ports = len(set(_listeners(ingress)))
    most = _RULES // ports
    shared = f" ({_RULES} with ingress.domain, where both share a port)" if ports > 1 else ""
    for version in (4, 6):
        count = sum(network.version == version for network in allowed)
        if count > most:
            yield (
                ("ingress", "allowed_cidrs"),
                f"{count} IPv{version} networks are too many: a security group takes 60 rules, one for each network and port, so at most "
                f"{most} here{shared}; join them to larger ones",
            )
    if len(given := _parsed(cluster.get("public_access_cidrs"))) > _PUBLIC_NETWORKS:
        problem = f"{len(given)} networks are too many: EKS takes at most {_PUBLIC_NETWORKS}; join them to larger ones"
        yield ("cluster", "public_access_cidrs"), problem
    elif not given and (count := sum(is_public(str(network)) for network in allowed)) > _PUBLIC_NETWORKS:
        yield (
            ("cluster", "public_access_cidrs"),
            f"is empty, and the {count} public networks of ingress.allowed_cidrs take its place: EKS takes at most {_PUBLIC_NETWORKS}; "
            "name those that may reach the Kubernetes API",
        )


def _parsed(given: Any) -> set[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks of a list, each once; what is not one is a fault already."""
    found = set()
    for text in given if isinstance(given, list | tuple) else ():
        with contextlib.suppress(ValueError):
            found.add(ipaddress.ip_network(text))
    return found


def _china(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    region = table(values, "platform").get("region")
    if isinstance(region, str) and region.startswith("cn-"):
        yield (
            ("platform", "region"),
            f"'{region}' is not offered: load balancers in China have names that the platform's certificate does not cover, and the "
            "registries its images come from are slow or blocked there; choose a region outside China",
        )


def _gateway(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    if table(values, "azure").get("enabled") is not True:
        return
    if table(values, "ingress").get("tls") == "none":
        yield ("ingress", "tls"), "'none' is refused when API Management is in front; leave it 'auto'"
    apim = table(values, "azure", "apim")
    if apim.get("sku") != "Consumption" or apim.get("existing") is not None:
        return
    if apim.get("streaming", True) is not False:
        yield ("azure", "apim", "sku"), "Consumption cannot be used with streaming; choose BasicV2 or another tier"
    elif apim.get("keys", "per-caller") == "per-caller":
        yield ("azure", "apim", "sku"), "Consumption cannot be used with the cache of per-caller keys; choose BasicV2 or another tier"


def _backend(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Without a domain the load balancer's certificate is the platform's own, and API Management can be told of no authority."""
    if table(values, "azure").get("enabled") is not True or table(values, "ingress").get("domain") is not None:
        return
    if table(values, "azure", "apim").get("unverified_backend") is not True:
        yield (
            ("ingress", "domain"),
            "is needed with API Management in front: without a domain it cannot check whose certificate the load balancer shows, and"
            " sends callers' keys, prompts and the header that opens the port to anyone who answers in its place."
            " Set ingress.domain, or accept that: azure.apim.unverified_backend = true",
        )


def _chart(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    chart = table(values, "langfuse", "chart")
    given = [name for name in ("repository", "oci", "path") if chart.get(name) is not None]
    if len(given) > 1:
        yield ("langfuse", "chart"), f"give one of repository, oci and path, not {' and '.join(given)}"


def _langfuse(values: Mapping[str, Any]) -> Iterator[Contradiction]:
    """The application's version belongs to its chart's line; what Langfuse 4 does not take in must not be sent to it."""
    langfuse = table(values, "langfuse")
    major = "4" if str(table(values, "langfuse", "chart").get("version", "")).startswith("2.") else "3"
    tag = langfuse.get("image_tag")
    if isinstance(tag, str) and tag[:2] in ("3.", "4.") and tag[0] != major:
        problem = f"'{tag}' is Langfuse {tag[0]}, but this chart runs Langfuse {major}; leave it out for the chart's own"
        yield ("langfuse", "image_tag"), problem
    events_only = major == "4" and langfuse.get("write_mode", "events_only") == "events_only"
    if events_only and table(values, "litellm").get("callback") == "langfuse":
        yield (
            ("litellm", "callback"),
            "'langfuse' is refused by Langfuse 4 with write_mode 'events_only'; use 'langfuse_otel', or set langfuse.write_mode to 'dual'",
        )
