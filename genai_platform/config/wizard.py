"""What ``genai init`` asks, as data, and the commented genai.toml that it writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """One question.

    Args:
        pattern: what an answer must look like; an empty answer means the default.
    """

    key: str
    text: str
    flag: str
    default: str
    pattern: str
    advice: str
    required: bool = True


QUESTIONS = (
    Question(
        "name", "a name for the platform", "--name", "genai", r"[a-z][a-z0-9-]{0,15}", "lower-case letters, digits, hyphens; at most 16"
    ),
    Question("region", "AWS region", "--region", "ap-northeast-1", r"[a-z]{2}(-[a-z]+)+-[0-9]", "e.g. ap-northeast-1"),
    Question("account_id", "AWS account", "--account-id", "", r"[0-9]{12}", "twelve digits; any other account will be refused"),
    Question(
        "api_base",
        "Azure OpenAI address",
        "--api-base",
        "",
        r"https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?",
        "e.g. https://NAME.openai.azure.com",
    ),
    Question(
        "models", "Azure OpenAI deployments", "--model", "gpt-4o-mini", r"[^\s,@{}]+(\s*,\s*[^\s,@{}]+)*", "names, separated by commas"
    ),
)


def answer(question: Question, default: str | None, ask: Callable[[str], str]) -> str:
    """Ask until the answer fits."""
    suggestion = default or question.default
    prompt = f"{question.text} ({question.advice}){f' [{suggestion}]' if suggestion else ''}"
    while True:
        text = ask(prompt).strip() or suggestion
        if re.fullmatch(question.pattern, text):
            return text
        prompt = f"'{text}' does not fit: {question.advice}"


def missing(answers: Mapping[str, str]) -> list[Question]:
    """Required questions without an answer."""
    return [question for question in QUESTIONS if question.required and not answers.get(question.key)]


def models(answers: Mapping[str, str]) -> Sequence[str]:
    """The names of the deployments."""
    return [name.strip() for name in answers["models"].split(",") if name.strip()]


def values(answers: Mapping[str, str]) -> dict[str, Any]:
    """The answers as settings, to be validated before they are written."""
    return {
        "platform": {"name": answers["name"], "region": answers["region"]},
        "aws": {"account_id": answers["account_id"]},
        "litellm": {"models": [{"name": name, "azure_deployment": name, "api_base": answers["api_base"]} for name in models(answers)]},
    }


def document(answers: Mapping[str, str]) -> str:
    """genai.toml."""
    text = {key: json.dumps(value, ensure_ascii=False) for key, value in answers.items()}
    tables = "".join(
        f"""
[[litellm.models]]
name = {json.dumps(name, ensure_ascii=False)}
azure_deployment = {json.dumps(name, ensure_ascii=False)}
api_base = {text["api_base"]}
api_version = "2024-10-21"
"""
        for name in models(answers)
    )
    return f"""# What `genai` builds. Secrets do not belong here: the key of Azure OpenAI is read from AZURE_API_KEY.
# genai.NAME.toml beside this file changes values for `--env NAME`; `genai config show` lists all values and sources.

[platform]
name = {text["name"]}             # first part of every name; lower-case, at most 16 characters
region = {text["region"]}

[aws]
account_id = {text["account_id"]}   # any other account is refused

[network]
cidr = "10.0.0.0/16"
zones = 2                  # two or more
nat = "single"             # or "per-zone": survives the loss of a zone, costs more

[cluster]
version = "1.35"
admins = []                # ARNs of further people and pipelines

[ingress]
allowed_cidrs = []         # empty: the address this command comes from
# domain = "genai.example.com"   # inside a Route 53 zone of this account

[litellm]
replicas = 1
{tables}
[langfuse]
post_install = "values"    # values | patch | none
[langfuse.chart]
version = "1.5.41"

[azure]
enabled = false            # true: API Management in front; then tenant_id, subscription_id and resource_group, too

[lifecycle]
down = "everything"        # or "keep-data"
"""
