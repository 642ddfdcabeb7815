"""When the sign-in behind a profile of IAM Identity Center ends, as far as the files of ``aws sso login`` tell.

Its token lies in ``~/.aws/sso/cache`` (AWS CLI user guide, "Configuring IAM Identity Center authentication"). One with a refresh token
is renewed without a person; one without, from a profile that names no ``sso-session``, is not, and no new credentials of the role
can be had after it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def token_end(profile: str) -> datetime | None:
    """When the token of a profile ends; None: it is renewed without a person, or nobody can know."""
    from botocore.exceptions import SSOTokenLoadError
    from botocore.session import Session
    from botocore.utils import JSONFileCache, SSOTokenLoader, parse_timestamp

    session = Session(profile=profile)
    config: dict[str, Any] = session.get_scoped_config()
    named = config.get("sso_session")
    url = session.full_config.get("sso_sessions", {}).get(named, config).get("sso_start_url")
    if not url:
        return None
    try:
        token = SSOTokenLoader(JSONFileCache(str(Path("~/.aws/sso/cache").expanduser())))(url, session_name=named)
        end: datetime = parse_timestamp(token["expiresAt"])
    except (SSOTokenLoadError, ValueError):
        return None
    return None if token.get("refreshToken") else end.astimezone(UTC)
