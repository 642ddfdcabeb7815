"""``genai config``: what is configured, and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run

app = typer.Typer(name="config", help="What is configured, and where it comes from.", no_args_is_help=True)


@command(app, "show", "genai config show --env work")
def show(run: Run) -> None:
    """Show every value and its source."""
    from genai_platform.config.faults import dotted

    loaded = run.world.loaded
    values = loaded.settings.model_dump(mode="json")
    rows = [[dotted(path), _shown(value), loaded.source(path)] for path, value in _leaves(values)]
    run.screen.target = run.world.describe()
    run.screen.table(["key", "value", "source"], rows, title=run.screen.target)
    run.screen.document({"settings": values, "sources": {dotted(path): loaded.source(path) for path, _ in _leaves(values)}})


@command(app, "path", "genai config path")
def path(run: Run) -> None:
    """Show the files that are read, and the folder of what is remembered."""
    from genai_platform.config.layers import FILE

    environment = run.options.environment
    names = [FILE] if environment == "default" else [FILE, f"genai.{environment}.toml"]
    files = [run.project / name for name in names]
    for file in files:
        run.screen.tell(f"{file}{'' if file.is_file() else ' (not there)'}")
    folder = run.project / ".genai" / environment
    run.screen.tell(f"{folder}{'' if folder.is_dir() else ' (not there)'}")
    run.screen.document({"files": [{"path": str(file), "exists": file.is_file()} for file in files], "folder": str(folder)})


@command(app, "schema", "genai config schema")
def schema(run: Run) -> None:
    """Print the JSON Schema of genai.toml, for editors. To save it: genai config schema > genai.schema.json"""
    from genai_platform.config.schema import schema as of_settings

    if run.screen.json:
        run.screen.document(of_settings())
    else:
        # ASCII: a file that was redirected is UTF-8 whatever the locale says.
        print(json.dumps(of_settings(), indent=2), flush=True)


def _leaves(values: Mapping[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, item in enumerate(value):
                yield from _leaves(item, (*path, key, number))
        else:
            yield (*path, key), value


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
