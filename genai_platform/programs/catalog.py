"""Which programs there are, which versions fit, and where each can be had, in the order tried."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genai_platform.errors import MissingError
from genai_platform.programs.cache import cache_folder, make_once
from genai_platform.programs.download import Download, Unavailable
from genai_platform.programs.go_build import GoBuild, locked_version


@dataclass(frozen=True)
class Program:
    """One program: the version fetched when it is missing, and which of those on PATH fit."""

    name: str
    version: str
    sources: Sequence[Download | GoBuild]
    ask: tuple[str, ...]
    """Arguments that make it print its version."""
    at_least: tuple[int, ...] | None
    """The oldest version on PATH that fits; None: only the pinned one's major and minor version fits."""
    remedy: str

    def minutes_to_build(self) -> float | None:
        """How long a build from source takes here; None when there is no compiler or no source."""
        builds = [source.minutes for source in self.sources if isinstance(source, GoBuild)]
        return builds[0] if builds and shutil.which("go") else None

    def fits(self, version: tuple[int, ...]) -> bool:
        if self.at_least is None:
            return version[:2] == numbers(self.version)[:2]
        return version >= self.at_least


_KUBERNETES = locked_version("kubernetes", "k8s.io/kubernetes")
_MAJOR, _MINOR = _KUBERNETES.split(".")[:2]
_STAMP = "k8s.io/component-base/version.git"
_STAMPS = {f"{_STAMP}Version": "v{version}", f"{_STAMP}Major": _MAJOR, f"{_STAMP}Minor": _MINOR, f"{_STAMP}TreeState": "clean"}
_BUILD_REMEDY = "install Go 1.26 or newer, or open the network to the publisher's release page, and run the command again"


def _kubernetes(name: str, minutes: float) -> Program:
    page = "https://dl.k8s.io/v{version}/bin/{os}/{arch}/" + name
    return Program(
        name=name,
        version=_KUBERNETES,
        sources=(Download(page, page + ".sha256"), GoBuild("kubernetes", f"k8s.io/kubernetes/cmd/{name}", minutes, _STAMPS)),
        ask=("--version",),
        at_least=None,
        remedy=_BUILD_REMEDY,
    )


_ETCD_PAGE = "https://github.com/etcd-io/etcd/releases/download/v{version}/"
_HELM_PAGE = "https://get.helm.sh/helm-v{version}-{os}-{arch}.tar.gz"
_TERRAFORM_PAGE = "https://releases.hashicorp.com/terraform/{version}/terraform_{version}_"

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program(
            name="terraform",
            version="1.14.3",
            sources=(Download(_TERRAFORM_PAGE + "{os}_{arch}.zip", _TERRAFORM_PAGE + "SHA256SUMS", "terraform"),),
            ask=("version",),
            at_least=(1, 11),
            remedy="install Terraform 1.11 or newer: https://developer.hashicorp.com/terraform/install",
        ),
        Program(
            name="helm",
            version=locked_version("helm", "helm.sh/helm/v4"),
            sources=(
                Download(_HELM_PAGE, _HELM_PAGE + ".sha256sum", "{os}-{arch}/helm"),
                GoBuild("helm", "helm.sh/helm/v4/cmd/helm", 3, {"helm.sh/helm/v4/internal/version.version": "v{version}"}),
            ),
            ask=("version", "--short"),
            at_least=(3, 14),
            remedy="install Helm 3.14 or newer: https://helm.sh/docs/intro/install/",
        ),
        Program(
            name="etcd",
            version=locked_version("kubernetes", "go.etcd.io/etcd/server/v3"),
            sources=(
                Download(_ETCD_PAGE + "etcd-v{version}-{os}-{arch}.tar.gz", _ETCD_PAGE + "SHA256SUMS", "etcd-v{version}-{os}-{arch}/etcd"),
                GoBuild("kubernetes", "go.etcd.io/etcd/server/v3", 1),
            ),
            ask=("--version",),
            at_least=None,
            remedy=_BUILD_REMEDY,
        ),
        _kubernetes("kube-apiserver", 6),
        _kubernetes("kube-controller-manager", 2),
    )
}


def numbers(version: str) -> tuple[int, ...]:
    """``v1.35.4-eks`` to (1, 35, 4)."""
    found = re.search(r"\d+(?:\.\d+)+", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def version_of(path: Path, ask: Sequence[str]) -> tuple[int, ...]:
    """What a program says of its version; empty when it says nothing understandable or cannot be run."""
    try:
        answer = subprocess.run([str(path), *ask], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return numbers(answer.stdout or answer.stderr)


def find(name: str) -> Path:
    """The path of a program: the one on PATH when it fits, else the one in the cache. Never fetches.

    Raises:
        MissingError: it is on neither, or the one on PATH has the wrong version (the message names its version).
    """
    program = PROGRAMS[name]
    unfit = ""
    if on_path := shutil.which(name):
        version = version_of(Path(on_path), program.ask)
        if program.fits(version):
            return Path(on_path)
        unfit = f" ({on_path} is version {'.'.join(map(str, version)) or 'unknown'})"
    cached = _folder(program) / name
    if cached.is_file():
        return cached
    wanted = f"{'.'.join(map(str, program.at_least))} or newer" if program.at_least else program.version
    raise MissingError(f"{name} {wanted} was not found{unfit}", remedy=program.remedy, id=f"tools.{name}")


def provide(name: str, say: Callable[[str], None] = lambda text: None) -> Path:
    """The path of a program, fetched or built into the cache when it is missing. ``say`` hears the progress.

    Raises:
        MissingError: no source could give it; the message says what each of them answered.
    """
    try:
        return find(name)
    except MissingError as missing:
        absent = missing.message
    program = PROGRAMS[name]
    failures: list[str] = []

    def make(folder: Path) -> None:
        for source in program.sources:
            where = "looking at the release page" if isinstance(source, Download) else "building from its Go module"
            say(f"{name} {program.version}: {where}")
            try:
                return source.fetch(name, program.version, folder / name, say)
            except Unavailable as reason:
                failures.append(str(reason))
                say(f"{name}: {reason}")
        raise MissingError(f"{absent} and could not be fetched: {'; '.join(failures)}", remedy=program.remedy, id=f"tools.{name}")

    return make_once(str(_folder(program).relative_to(cache_folder())), make) / name


def _folder(program: Program) -> Path:
    return cache_folder() / "programs" / f"{program.name}-{program.version}"
