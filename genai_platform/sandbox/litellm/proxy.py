"""Start the real LiteLLM proxy, as the image's entry point does."""

from __future__ import annotations

import gc
import os
import sys
from functools import partial
from typing import Any

from genai_platform.sandbox.litellm import migrate


def main() -> None:
    """``python -m genai_platform.sandbox.litellm.proxy --config FILE --port 4000 --host ADDRESS``."""
    # The import makes some million objects that all stay: not looking through them again and again saves seconds.
    gc.disable()
    from litellm.proxy import proxy_server  # noqa: F401
    from litellm.proxy.proxy_cli import run_server

    gc.freeze()
    gc.enable()
    _without_prisma_cli()
    _without_instance_discovery()
    sys.argv[0] = "litellm"
    run_server()


def _without_prisma_cli() -> None:
    """Do what the proxy asks of Prisma's command line with our own migration: that program is not here.

    With DISABLE_SCHEMA_UPDATE the proxy only compares; without it, it migrates before it serves.
    """
    from litellm.proxy.db import check_migration
    from litellm.proxy.db.prisma_client import PrismaManager

    check_migration.check_prisma_schema_diff = _compare
    PrismaManager.setup_database = staticmethod(_migrate)


def _without_instance_discovery() -> None:
    """Let azure-identity take the stand-in for an authority: MSAL would ask Microsoft's own one about it ("instance discovery")."""
    if not os.environ.get("AZURE_AUTHORITY_HOST"):
        return
    from azure import identity

    known = partial(identity.WorkloadIdentityCredential, disable_instance_discovery=True)
    identity.WorkloadIdentityCredential = known  # type: ignore[misc,assignment]


def _compare(db_url: str | None = None) -> None:
    try:
        with migrate.connect(migrate.options(os.environ), _say, seconds=0) as session:
            if missing := migrate.missing(session):
                _say(f"LiteLLM's database lacks {len(missing)} migrations; the first is {missing[0].parent.name}")
    except migrate.MigrationError as error:
        _say(str(error))


def _migrate(*args: Any, **options: Any) -> bool:
    try:
        with migrate.connect(migrate.options(os.environ), _say) as session:
            migrate.migrate(session, _say)
    except migrate.MigrationError as error:
        _say(str(error))
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
