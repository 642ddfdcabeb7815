"""The tables of the models in the genai.toml that ``genai init`` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from genai_platform.config import api_base
from genai_platform.config.azure_models import PRICED
from genai_platform.config.priced_models import OPENAI
from genai_platform.config.wizard import words

_GEOGRAPHIES = ("apac", "global", "us-gov")
"""What an inference profile's id begins with, where it is longer than two letters (``us``, ``eu``, ``jp`` and so on)."""
_VERSION = re.compile(r"(-[0-9]{8})?(-v[0-9]+)?(:[0-9a-z]+)*$")
"""How ids of Amazon Bedrock end: a date, a version, a revision."""


@dataclass(frozen=True)
class ModelTable:
    """A model: what callers ask for, and its keys in TOML."""

    name: str
    keys: str
    variable: str = ""
    """The environment variable that its key is read from; empty: it needs none."""

    @property
    def toml(self) -> str:
        return f"\n[[litellm.models]]\nname = {_text(self.name)}\n{self.keys}"


def tables(answers: Mapping[str, str], model_of: Mapping[str, str], *, keyless: bool) -> list[ModelTable]:
    """The models of all providers that were answered, each with a name of its own.

    Args:
        model_of: the model behind a deployment of Azure OpenAI, where that is known.
        keyless: the account of Azure OpenAI takes tokens of Entra ID, so that no key is needed.
    """
    found: dict[str, ModelTable] = {}
    providers = words(answers.get("providers", "azure"))
    if "azure" in providers:
        address = api_base.parse(answers["api_base"]).address
        for name in _said(answers, "models"):
            found[name] = ModelTable(name, _azure(name, address, model_of.get(name, ""), keyless), "" if keyless else "AZURE_API_KEY")
    if "bedrock" in providers:
        for id in _said(answers, "bedrock_models"):
            name = _free([short_name(id), id], found)
            found[name] = ModelTable(name, _bedrock(id))
    if "openai" in providers:
        for model in _said(answers, "openai_models"):
            name = _free([model, f"openai-{model}"], found)
            found[name] = ModelTable(name, _openai(model, answers["openai_base"]), "OPENAI_API_KEY")
    return list(found.values())


def short_name(id: str) -> str:
    """What callers may call a model of Amazon Bedrock, e.g. ``claude-haiku-4-5`` for ``us.anthropic.claude-haiku-4-5-20251001-v1:0``."""
    first, _, rest = id.partition(".")
    provider, _, model = rest.partition(".") if len(first) <= 2 or first in _GEOGRAPHIES else (first, "", rest)
    name = _VERSION.sub("", model)
    return name if "-" in name else f"{provider}-{name}"


def _said(answers: Mapping[str, str], key: str) -> Iterator[str]:
    return (word for word in dict.fromkeys(words(answers[key])) if word)


def _free(names: Sequence[str], taken: Mapping[str, ModelTable]) -> str:
    """The first name that is not taken: two models of one name would share its load, and nobody asked for that."""
    return next((name for name in names if name not in taken), names[-1])


def _azure(name: str, address: str, model: str, keyless: bool) -> str:
    lines = f"azure_deployment = {_text(name)}\napi_base = {_text(address)}\n{_KEYLESS if keyless else ''}"
    if model and model != name:
        lines += f"base_model = {_text(model)}\n"
    elif name not in PRICED:
        lines += _BASE_MODEL
    mode = PRICED.get(model or name)
    return lines + (f'mode = "{mode}"\n' if mode not in (None, "chat", "responses") else "")


def _bedrock(id: str) -> str:
    return f'provider = "bedrock"       # signed with the role of LiteLLM\'s pods: no key\nmodel = {_text(id)}\n{_mode(id)}'


def _openai(model: str, address: str) -> str:
    lines = f'provider = "openai"        # its key is read from OPENAI_API_KEY, or what api_key_env names\nmodel = {_text(model)}\n'
    return f"{lines}api_base = {_text(address)}\n{'' if model in OPENAI else _BASE_MODEL_OF_OPENAI}{_mode(model)}"


def _mode(model: str) -> str:
    """Models that embed say so in their names."""
    return 'mode = "embedding"\n' if "embed" in model else ""


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


_KEYLESS = 'auth = "entra"             # no key: LiteLLM signs in with Entra ID; "key": AZURE_API_KEY\n'
_BASE_MODEL = '# base_model = "gpt-4o"    # what the deployment is of, as it has another name: price, budgets, parameters\n'
_BASE_MODEL_OF_OPENAI = '# base_model = "gpt-4o"    # whose price counts, as LiteLLM has none for this name\n'
