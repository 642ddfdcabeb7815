"""The web process: ``python -m genai_platform.sandbox.langfuse.web --place ROOT --address 127.N.x.y``."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from genai_platform.sandbox.langfuse.api import Backends, application
from genai_platform.sandbox.langfuse.azure_ad import AzureAd, Provider
from genai_platform.sandbox.langfuse.clickhouse import ClickHouse
from genai_platform.sandbox.langfuse.configuration import Configuration
from genai_platform.sandbox.langfuse.directory import Directory
from genai_platform.sandbox.langfuse.entities import is_four
from genai_platform.sandbox.langfuse.people import People
from genai_platform.sandbox.langfuse.process import arguments, must, serve
from genai_platform.sandbox.langfuse.storage import RedisQueue, S3Events
from genai_platform.sandbox.layout import SandboxLayout
from genai_platform.sandbox.pace import INGESTION_DELAY, LATE_SPANS

log = logging.getLogger("langfuse-web")


def main() -> None:
    options = arguments("langfuse-web")
    layout = SandboxLayout.open(Path(options.layout))
    pace = layout.pace
    configuration = must("read the configuration", lambda: Configuration.read(os.environ))
    directory = Directory(configuration)
    store = ClickHouse(configuration)
    log.info("PostgreSQL: %d migrations applied", must("migrate PostgreSQL", directory.migrate))
    must("migrate ClickHouse", lambda: store.migrate(events=is_four(options.version)))
    if initial := configuration.initial:
        must("initialise the organisation and project", lambda: directory.initialise(initial))
        log.info("project %s is there", initial.project_id)
    provider = Provider.read(os.environ)
    # Where this sandbox has login.microsoftonline.com.
    authority = f"https://localhost:{layout.azure.ports['entra']}"
    closed, url = configuration.sign_up_disabled, configuration.public_url
    people = People(
        directory, configuration.nextauth_secret, url, sign_up_disabled=closed,
        home=f"/project/{initial.project_id}" if initial else "/auth/sign-in", passwords=not configuration.passwords_disabled,
        entra=AzureAd(provider, directory, authority, url, create=not closed) if provider else None,
    )  # fmt: skip
    backends = Backends(directory, S3Events(configuration.events), RedisQueue(configuration, pace.of(INGESTION_DELAY)), store)
    app = application(backends, people, version=options.version, public_url=url, mode=configuration.write_mode, late=pace.of(LATE_SPANS))
    serve(app, options.address, int(os.environ.get("PORT") or 3000))


if __name__ == "__main__":
    main()
