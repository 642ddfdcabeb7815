"""Session credentials of the administrator: they end, in the middle of a run where that is wanted.

STS, GetSessionToken: 900 to 129600 seconds. What every service answers afterwards is in ``errors.expired``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from genai_platform.sandbox.aws import identity


@dataclass(repr=False)
class Session:
    """One set of credentials.

    Attributes:
        expiration: when they end.
        after: an action such as ``ec2:CreateVpc``; they end with its first answer.
    """

    expiration: datetime
    after: str = ""
    access_key_id: str = field(default_factory=lambda: identity.access_key_id("ASIA"))
    secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    session_token: str = field(default_factory=lambda: secrets.token_urlsafe(90))

    def document(self) -> dict[str, str]:
        """As STS and ``aws configure export-credentials`` name the parts."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": self.expiration.isoformat(timespec="seconds"),
        }

    @property
    def ended(self) -> bool:
        return self.expiration <= datetime.now(UTC)


SESSIONS: dict[str, Session] = {}
"""All that were issued since the start of this process, which is one account's, by their access keys."""


def issue(seconds: float, after: str = "") -> Session:
    """Make credentials that end after so many seconds, or with the first answer to an action."""
    made = Session(datetime.now(UTC) + timedelta(seconds=seconds), after)
    SESSIONS[made.access_key_id] = made
    return made
