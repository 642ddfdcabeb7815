"""The step that fills Secrets Manager: passwords made once, and the keys of the models' providers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from genai_platform.advice import run_genai
from genai_platform.config import azure_openai
from genai_platform.engine.step import Observation, Progress, absent, drifted, present
from genai_platform.errors import MissingError
from genai_platform.render.secrets import PlatformSecrets
from genai_platform.steps.azure.openai import account as openai
from genai_platform.steps.clients import Clients


@dataclass(frozen=True)
class SecretsStep:
    """The platform's secrets in Secrets Manager.

    Args:
        variables: where keys of the models' providers are looked for; default: the environment.
    """

    clients: Clients
    variables: Mapping[str, str] | None = None
    minutes: float = 0.1
    limit: float = 120
    id: str = "infra.secrets"

    @property
    def needs(self) -> tuple[str, ...]:
        # The key of an account is there once the account is.
        made = azure_openai.key_variables(self.clients.target.settings)
        return ("infra.storage", "azure.openai") if made else ("infra.storage",)

    @property
    def _upstream(self) -> tuple[str, ...]:
        return self.clients.target.settings.litellm.key_variables

    def _given(self) -> dict[str, str]:
        """The keys at hand, by variable: those of an account that this environment made come from Azure."""
        variables = os.environ if self.variables is None else self.variables
        named = {name: variables[name] for name in self._upstream if variables.get(name)}
        return named | {name: value.get_secret_value() for name, value in openai.keys(self.clients).items()}

    def observe(self) -> Observation:
        return self._look().with_change(f"secret {self.clients.aws.secret_name}")

    def _look(self) -> Observation:
        name, stored = self.clients.aws.secret_name, self.clients.aws.secret_document()
        if stored is None:
            return absent(f"{name} has no value")
        kept = stored.get("upstream_keys") or {}
        lacking = [*_lacking(stored), *(variable for variable in self._upstream if variable not in kept)]
        if unused := self._unused(kept):
            return drifted(f"{name} holds {', '.join(unused)}, which no model reads")
        if lacking:
            return drifted(f"{name} lacks {', '.join(lacking)}")
        changed = [variable for variable, value in self._given().items() if kept[variable] != value]
        if changed:
            return drifted(f"{name} has another value of {', '.join(changed)} than what is given")
        return present(f"{name} is complete")

    def _unused(self, kept: Mapping[str, Any]) -> list[str]:
        """Keys of an earlier configuration. They go once a model is asked without a key: what is meant is that none is left."""
        litellm = self.clients.target.settings.litellm
        return sorted(set(kept) - set(self._upstream)) if litellm.keyless or litellm.bedrock else []

    def apply(self, progress: Progress) -> str:
        given = {name: SecretStr(value) for name, value in self._given().items()}

        def change(stored: PlatformSecrets | None) -> PlatformSecrets:
            before = stored or PlatformSecrets()
            keys = {**before.upstream_keys, **given}
            for variable in self._upstream:
                if variable not in keys:
                    raise missing_key(self.clients, variable)
            unused = self._unused(keys)
            return before.model_copy(update={"upstream_keys": {name: key for name, key in keys.items() if name not in unused}})

        progress.say("storing the secrets")
        written = self.clients.aws.update_secrets(change, fix=True)
        return f"{self.clients.aws.secret_name} {'written' if written else 'as it was'}"

    def destroy(self, progress: Progress) -> str:
        # The value has no life of its own: root storage removes the secret at once, without a recovery window.
        return f"{self.clients.aws.secret_name} goes with infra.storage"


def missing_key(clients: Clients, variable: str) -> MissingError:
    """The error for a model whose key is neither in the environment nor stored."""
    if variable in openai.key_variables(clients):
        return MissingError(
            f"the key {variable} is read from the account of Azure OpenAI, which is not there yet",
            remedy=run_genai("azure --only azure.openai"),
            id="secrets.openai",
        )
    litellm = clients.target.settings.litellm
    named = [model.name for model in litellm.models if model.key_variable == variable]
    named += [litellm.extra_config.path] if litellm.extra_config and variable in litellm.extra_config.variables else []
    models = ", ".join(dict.fromkeys(named))
    return MissingError(
        f"no key for {models}: the environment variable {variable} is not set, and none was stored before",
        remedy=f"set {variable} and run the same command again",
        id="secrets.upstream",
    )


def _lacking(stored: Mapping[str, Any]) -> list[str]:
    fields = PlatformSecrets.model_fields.items()
    return [name for name, field in fields if field.default_factory is not None and not stored.get(name) and name != "upstream_keys"]
