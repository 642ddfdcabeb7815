"""Where settings come from, one layer over the other: files, environment variables, ``--set``, and a given overlay.

Tables merge by key, lists replace. The whole is validated at once, and every fault names its key, the value, what is
allowed and the layer it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genai_platform.config import model_defaults
from genai_platform.config.merged import entries, table
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    # Imported where values are validated: shell completion reads layers, and has no time for that.
    from pydantic import ValidationError

    from genai_platform.config.settings import Settings

FILE = "genai.toml"
PREFIX = "GENAI_"
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Layer:
    """One source of settings."""

    name: str
    """How a person knows it, e.g. ``genai.toml`` or ``--set litellm.replicas=2``."""
    values: Mapping[str, Any]
    raw: Mapping[KeyPath, str] = field(default_factory=dict)
    """Values as typed, for those that were guessed from text: ``1.35`` may be meant as text."""


@dataclass(frozen=True)
class Loaded:
    """Validated settings, and where each value came from."""

    settings: Settings
    layers: tuple[Layer, ...]
    merged: Mapping[str, Any]

    def source(self, path: KeyPath) -> str:
        """The layer that gave a value; ``default`` when none did, with the table that a model's default follows from."""
        found = _source(self.layers, path)
        return f"{found} (azure.openai)" if found == "default" and self._follows(path) else found

    def _follows(self, path: KeyPath) -> bool:
        """Whether a key of a model, which no layer has, follows from the account it is asked at."""
        match path:
            case ("litellm", "models", int(number), key):
                return number < len(self._models) and key in self._models[number]
        return False

    @cached_property
    def _models(self) -> list[Mapping[str, Any]]:
        return entries(model_defaults.completed(self.merged))


def project_folder(start: Path | None = None) -> Path:
    """The nearest folder upward that has a genai.toml, else the current one."""
    here = (start or Path.cwd()).absolute()
    return next((folder for folder in (here, *here.parents) if (folder / FILE).is_file()), here)


def file_layers(project: Path, environment: str) -> list[Layer]:
    """genai.toml and genai.ENVIRONMENT.toml, those that exist.

    Raises:
        ConfigError: a file is not TOML or cannot be read.
    """
    names = [FILE] if environment == "default" else [FILE, f"genai.{environment}.toml"]
    return [Layer(name, _read(project / name)) for name in names if (project / name).is_file()]


def environment_layers(environ: Mapping[str, str]) -> list[Layer]:
    """``GENAI_SECTION__KEY=value``, one layer a variable. Other ``GENAI_`` variables are not settings."""
    layers = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and "__" in name:
            path = tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))
            if all(path):
                layers.append(_single(f"variable {name}", path, environ[name]))
    return layers


def option_layers(sets: Iterable[str]) -> list[Layer]:
    """``--set section.key=value``, one layer each.

    Raises:
        ConfigError: no key or no equals sign.
    """
    layers = []
    for text in sets:
        key, equals, value = text.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(path):
            raise ConfigError(f"--set {text}: expected section.key=value", remedy="e.g. --set litellm.replicas=2", id="config.set")
        layers.append(_single(f"--set {key.strip()}", path, value.strip()))
    return layers


def configured_layers(
    project: Path, environment: str = "default", sets: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> list[Layer]:
    """What a person configured, the weakest layer first; arguments and errors as ``load`` has them."""
    given = os.environ if environ is None else environ
    return [*file_layers(project, environment), *environment_layers(given), *option_layers(sets)]


def load(project: Path, environment: str = "default", *, sets: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Loaded:
    """Read all layers and validate the whole.

    Args:
        project: the folder of genai.toml.
        environment: chooses genai.ENVIRONMENT.toml.
        sets: ``--set`` options, stronger than files and variables.
        environ: environment variables; default: this process's.

    Raises:
        ConfigError: every fault at once.
    """
    return validate(configured_layers(project, environment, sets, environ), project)


def validate(layers: Sequence[Layer], project: Path | None = None) -> Loaded:
    """Merge the layers and validate the result: each value by itself, and what they say together.

    Args:
        project: the folder of genai.toml, in which the file of ``litellm.extra_config`` is read; ``None``: it is not read.

    Raises:
        ConfigError: every fault at once.
    """
    from genai_platform.config.consistency import contradictions
    from genai_platform.config.faults import Fault, dotted, faults_of, gather

    values = merged(layers)
    unread = _read_extra_config(values, project) if project else ""
    settings, error = _typed(values)
    # A value from a variable or an option may have been read as a number where text is wanted: give it back as text.
    texts = {path: raw for layer in layers for path, raw in layer.raw.items()}
    wanted = [fault["loc"] for fault in error.errors() if fault["type"] == "string_type" and fault["loc"] in texts] if error else []
    if wanted:
        for path in wanted:
            _put(values, path, texts[path])
        settings, error = _typed(values)
    source = partial(_source, layers)
    faults = faults_of(error, source) if error else []
    if unread:
        faults.append(Fault("litellm.extra_config", unread, source(("litellm", "extra_config"))))
    faults += [Fault(dotted(path), problem, source(path)) for path, problem in contradictions(values)]
    if settings is None or faults:
        raise gather(faults)
    return Loaded(settings, tuple(layers), values)


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """The values of all layers, not validated."""
    return reduce(merge, (layer.values for layer in layers), {})


def _read_extra_config(values: dict[str, Any], project: Path) -> str:
    """Put the file of ``litellm.extra_config`` in the place of its path. Answers what is wrong with it; empty: nothing."""
    from genai_platform.config.extra_config import read

    litellm = table(values, "litellm")
    if isinstance(path := litellm.get("extra_config"), str):
        try:
            values["litellm"] = {**litellm, "extra_config": read(project, path)}
        except ValueError as error:
            return str(error)
    return ""


def _typed(values: Mapping[str, Any]) -> tuple[Settings | None, ValidationError | None]:
    from pydantic import ValidationError

    from genai_platform.config.settings import Settings

    try:
        return Settings.model_validate(values), None
    except ValidationError as error:
        return None, error


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` on ``base``: tables by key, everything else replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name} is not valid TOML: {error}", remedy=f"correct {path}", id="config.malformed") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path.name} is not UTF-8 text: {error.reason} at byte {error.start}", remedy=f"save {path} as UTF-8", id="config.malformed"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}", remedy=f"look at {path}", id="config.unreadable") from None


def _single(name: str, path: tuple[str, ...], text: str) -> Layer:
    value = _parse(text)
    raw: dict[KeyPath, str] = {} if isinstance(value, str) else {path: text}
    for part in reversed(path):
        value = {part: value}
    return Layer(name, value, raw)


def _parse(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def _put(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    # Copies on the way, so that no layer is changed.
    here: Any = values
    for part in path[:-1]:
        here[part] = dict(here[part])
        here = here[part]
    here[path[-1]] = value


def _source(layers: Sequence[Layer], path: KeyPath) -> str:
    """The strongest layer that says something at this place or above it."""
    for layer in reversed(layers):
        here: Any = layer.values
        for part in path:
            if isinstance(here, Mapping):
                if part not in here:
                    break
                here = here[part]
            elif isinstance(here, list | tuple) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return layer.name  # a plain value where something is wrong further inside
        else:
            return layer.name
    return "default"
