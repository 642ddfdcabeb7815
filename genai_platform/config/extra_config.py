"""``litellm.extra_config``: a person's own part of LiteLLM's configuration, for everything that has no setting here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OWN_VARIABLES = re.compile(r"(DATABASE|LANGFUSE|LITELLM|PRISMA|REDIS)_.*|DISABLE_SCHEMA_UPDATE|HOME|KEEPALIVE_TIMEOUT|PATH|PYTHON.*|TMPDIR")
"""Variables that configure LiteLLM's proxy itself."""
IDENTITY = re.compile(r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|ROLE_.*|(DEFAULT_)?REGION|WEB_IDENTITY_.*|CONTAINER_.*)")
"""Variables that would give the proxy's pods another identity in AWS than their role."""
_VARIABLE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class ExtraConfig:
    """The file and what is in it.

    Attributes:
        path: as it is configured, relative to the folder of genai.toml.
        document: what LiteLLM is told in addition; ``None`` where another person's configuration is looked at without the file.
        text: the file.
    """

    path: str
    document: Mapping[str, Any] | None = None
    text: str = ""

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models that it adds, once each."""
        return tuple(dict.fromkeys(model["model_name"] for model in (self.document or {}).get("model_list") or ()))

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that its secrets come from, sorted; those that the proxy has anyway are not among them."""
        found = {match[1] for text in _texts(self.document) if (match := _VARIABLE.fullmatch(text))}
        return tuple(sorted(name for name in found if not OWN_VARIABLES.fullmatch(name)))

    def line(self, *path: str | int) -> int:
        """The line of a key in the file, from 1."""
        import yaml

        node, line = yaml.compose(self.text, yaml.SafeLoader), 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                key, node = next((key, value) for key, value in node.value if key.value == part)
                line = key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line


def read(project: Path, path: str) -> ExtraConfig:
    """Read the file.

    Args:
        project: the folder of genai.toml.
        path: relative to it, or absolute.

    Raises:
        ValueError: it cannot be read, or is not what LiteLLM takes; the message is for people.
    """
    import yaml

    file = project / Path(path).expanduser()
    try:
        text = file.read_text("utf-8-sig")
        document = yaml.safe_load(text)
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist in {project}; a path is relative to the folder of genai.toml") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}{place} is not valid YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}") from None
    if not isinstance(document, dict | None) or not all(isinstance(key, str) for key in document or ()):
        raise ValueError(f"{path} is not a table of LiteLLM's sections, e.g. model_list, litellm_settings, router_settings")
    _refuse_malformed(path, document or {})
    return ExtraConfig(path, document or {}, text)


def _refuse_malformed(path: str, document: Mapping[str, Any]) -> None:
    models = document.get("model_list")
    if not isinstance(models, list | None):
        raise ValueError(f"{path}: model_list is not a list")
    for number, model in enumerate(models or ()):
        if not isinstance(model, dict) or not isinstance(model.get("model_name"), str) or not isinstance(model.get("litellm_params"), dict):
            raise ValueError(f"{path}: model_list[{number}] is not a model with model_name and litellm_params")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
