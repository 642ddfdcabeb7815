"""``genai env join``, and what ``up`` keeps for it: an environment's configuration next to its state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genai_platform.advice import advice, genai, typed
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose, environment
from genai_platform.config import toml
from genai_platform.config.layers import FILE, Layer, file_layers, validate
from genai_platform.config.settings import Settings
from genai_platform.errors import ConfigError, GenaiError, MissingError
from genai_platform.tools.aws import lifetime, shared_settings
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.shared_settings import SharedSettings, write


def share(run: Run) -> None:
    """Keep this environment's configuration next to its state, when that is in S3. A failure is a warning."""
    # What a person configured, without what a world puts in its place.
    settings, target = run.settings, run.target
    if settings.terraform.backend != "s3":
        return
    values = settings.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    now = lifetime.iso(datetime.now(UTC)) or ""
    try:
        bucket = run.clients.terraform.state.bucket()
        write(
            run.clients.aws, bucket, target.prefix, SharedSettings(settings.platform.name, target.environment, now, lifetime.who(), values)
        )
    except GenaiError as error:
        run.screen.warn(f"nobody can join this environment: {error.message}")


def join(run: Run, place: str) -> None:
    """Write genai.toml, or the environment's own file, so that this folder has that configuration.

    Args:
        place: ``BUCKET``, ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``.

    Raises:
        ConfigError: another configuration is here already; several environments are there, and none was chosen.
        MissingError: the bucket holds no configuration of such an environment.
    """
    shared, found = _chosen(run, place)
    wanted = validate([Layer(found, shared.settings)]).settings
    name = shared.environment
    file = run.project / (FILE if name == "default" else f"genai.{name}.toml")
    known = _local(run.project, name, file, shared.settings)
    if different := list(_differences(known, wanted)):
        what = ", ".join(different[:5]) + (f" and {len(different) - 5} more" if len(different) > 5 else "")
        raise ConfigError(
            f"{run.project} has another configuration for the environment '{name}': {what}",
            remedy="join in another folder, or remove the configuration here",
            id="env.different",
        )
    changed = not file.exists()
    if changed:
        head = f"# The environment '{name}', as {shared.by} built it at {shared.up}; copied from {found}\n"
        file.write_text(f"{head}# Secrets are not in it: each person gives the models' keys as environment variables.\n\n"
                        + toml.document(shared.settings), encoding="utf-8")  # fmt: skip
    run.screen.tell(f"wrote {file}" if changed else f"{file} has this configuration already")
    if not wanted.ingress.allowed_cidrs:
        run.screen.warn("ingress.allowed_cidrs is empty: an up from here admits this machine's address alone; name every network there")
    if (extra := wanted.litellm.extra_config) and not (run.project / extra.path).exists():
        run.screen.warn(f"litellm.extra_config: {extra.path} is not copied; get it from {shared.by} and put it into {run.project}")
    flags = run.flags if _asked(run) or name == "default" else f" --env {name}"
    run.screen.tell(typed(advice("next: {}", genai("status")), flags))
    run.screen.document({"joined": name, "file": str(file), "changed": changed, "last_up": shared.up, "last_up_by": shared.by})


def _chosen(run: Run, place: str) -> tuple[SharedSettings, str]:
    """The environment that is meant, and where it was found."""
    bucket, _, prefix = place.removeprefix("s3://").strip("/").partition("/")
    aws = Aws(run.enter(Purpose.ACCOUNT))
    aws.confirm_account()
    there = {prefix: shared_settings.read(aws, bucket, prefix)} if prefix else dict(shared_settings.every(aws, bucket))
    known = {name: one for name, one in there.items() if one is not None}
    if _asked(run):
        known = {name: one for name, one in known.items() if one.environment == run.options.environment}
    if not known:
        others = sorted(one.environment for one in there.values() if one)
        raise MissingError(
            f"no configuration to join in s3://{bucket}{f'/{prefix}' if prefix else ''}",
            remedy=f"there are: {', '.join(others)}" if others else advice(
                "{} puts it there, with terraform.backend = \"s3\": run it where the environment is configured", genai("up")
            ),
            id="env.absent",
        )  # fmt: skip
    if len(known) > 1:
        places = ", ".join(f"s3://{bucket}/{name} ('{one.environment}')" for name, one in sorted(known.items()))
        raise ConfigError(f"s3://{bucket} holds {len(known)} environments", remedy=f"choose one: {places}", id="env.several")
    ((name, shared),) = known.items()
    if not run.world.local:
        # Its name becomes part of a file's name here.
        environment(type(run.options)(env=shared.environment))
    return shared, f"s3://{bucket}/{name}"


def _asked(run: Run) -> bool:
    """Whether the options say which environment is meant."""
    return bool(run.options.env) or run.world.local


def _local(project: Path, name: str, file: Path, wanted: Mapping[str, Any]) -> Settings:
    """The settings that the files here give, with the new one among them. Raises ``ConfigError``."""
    layers = file_layers(project, name)
    return validate(layers if file.exists() else [*layers, Layer(file.name, wanted)]).settings


def _differences(mine: Settings, wanted: Settings) -> Iterator[str]:
    """The dotted keys whose values differ."""

    def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            if isinstance(value, Mapping) and value:
                yield from leaves(value, f"{path}{key}.")
            else:
                yield f"{path}{key}", value

    first, second = (dict(leaves(one.model_dump(mode="json"))) for one in (mine, wanted))
    return (key for key in sorted(first.keys() | second.keys()) if first.get(key) != second.get(key))
