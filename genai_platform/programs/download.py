"""Fetch a published program and check it against the publisher's checksum."""

from __future__ import annotations

import hashlib
import io
import platform
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx


class Unavailable(Exception):
    """A source could not give the program; the text says why. The next source is tried."""


@dataclass(frozen=True)
class Download:
    """A file on a publisher's release page. ``{version}``, ``{os}`` and ``{arch}`` are filled in.

    ``member`` is the program's path inside a zip or tar.gz archive; None when the file is the program itself.
    ``checksums`` is a file of SHA-256 sums: one bare sum, or lines of sum and file name.
    """

    url: str
    checksums: str
    member: str | None = None

    def fetch(self, program: str, version: str, target: Path, say: Callable[[str], None]) -> None:
        """Write the program to ``target`` (mode 0755).

        Raises:
            Unavailable: not reachable, not found, or the checksum differs.
        """
        machine = platform.machine()
        words = {"version": version, "os": sys.platform, "arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)}
        url = self.url.format(**words)
        try:
            with httpx.Client(follow_redirects=True, timeout=httpx.Timeout(60, connect=10)) as client:
                wanted = _sum_for(client.get(self.checksums.format(**words)).raise_for_status().text, url.rsplit("/", 1)[1])
                content = _stream(client, url, program, say)
        except httpx.HTTPError as error:
            raise Unavailable(f"{url}: {error or type(error).__name__}") from None
        if hashlib.sha256(content).hexdigest() != wanted:
            raise Unavailable(f"{url}: the checksum is not the published one")
        target.write_bytes(_extract(content, self.member.format(**words)) if self.member else content)
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _sum_for(text: str, file: str) -> str:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1 or (len(words) == 2 and words[1].lstrip("*") == file):
            return words[0].lower()
    raise Unavailable(f"no published checksum for {file}")


def _stream(client: httpx.Client, url: str, program: str, say: Callable[[str], None]) -> bytes:
    content = io.BytesIO()
    with client.stream("GET", url) as response:
        response.raise_for_status()
        size = int(response.headers.get("content-length", 0))
        for piece in response.iter_bytes(1 << 20):
            content.write(piece)
            done = content.tell() >> 20
            say(f"{program}: {done} MB" + (f" of {size >> 20} MB" if size else ""))
    return content.getvalue()


def _extract(content: bytes, member: str) -> bytes:
    try:
        if content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(member)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(member)
            return file.read()
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise Unavailable(f"the archive does not hold {member}: {error}") from None
