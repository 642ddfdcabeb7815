"""This machine's clock compared with AWS's: requests are signed with the time, and refused when it is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from genai_platform.cli.doctor.line import Line
from genai_platform.cli.doctor.reach import aws_endpoint

if TYPE_CHECKING:
    from genai_platform.steps.clients import Clients

_REFUSED = 300.0
"""Seconds: AWS and Entra ID refuse what is signed or issued further off (Signature Version 4; Microsoft identity platform)."""
_ODD = 60.0


def look(clients: Clients) -> Line:
    """Needs no credentials: any answer has a date."""
    url = aws_endpoint(clients.aws, "sts")
    try:
        before = datetime.now(UTC)
        answer = httpx.head(url, timeout=6, trust_env=clients.target.endpoints.real)
        half = (datetime.now(UTC) - before) / 2
        stamp = parsedate_to_datetime(answer.headers["Date"])
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return Line("clock", "unknown", f"{url} gave no date ({type(error).__name__})", "check the network and any proxy")
    off = (before + half - stamp.replace(tzinfo=stamp.tzinfo or UTC)).total_seconds()
    said = f"this machine's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    if abs(off) < _ODD:
        return Line("clock", "pass", said)
    remedy = "set the clock, e.g. with: sudo timedatectl set-ntp true"
    return Line("clock", "fail" if abs(off) >= _REFUSED else "warn", said, remedy)
