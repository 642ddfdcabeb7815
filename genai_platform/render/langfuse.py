"""Langfuse's chart values, its Secret and ClickHouse's disk file, from typed values alone. Nothing here looks at the world."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from genai_platform.config.files import shipped
from genai_platform.config.target import NAMESPACE, Target
from genai_platform.render import manifests, sign_in
from genai_platform.render.addresses import listener
from genai_platform.render.chart import pins
from genai_platform.render.clickhouse_disk import DISK, POLICY, check_policy
from genai_platform.render.litellm import POSTGRES_IMAGE
from genai_platform.render.manifests import Document
from genai_platform.render.outputs import DataOutputs, Outputs
from genai_platform.render.secrets import PlatformSecrets, SignInClient

RELEASE = "langfuse"
SECRET = "langfuse-platform"  # noqa: S105 - the name of an object
DISK_CONFIG_MAP = "clickhouse-s3-config"
DISK_FILE = "s3disk.xml"
DISK_PATH = f"/etc/clickhouse-server/config.d/{DISK_FILE}"
DISK_VOLUME = "s3disk-config"
DISK_PREFIX = "disk/"
"""Where in the ClickHouse bucket the disk keeps its parts; useless without the volume that holds their names."""
BACKUP_PREFIX = "backup/"
"""Where in the ClickHouse bucket backups lie. All else there is the disk."""
DATABASE = "langfuse"
DATABASE_JOB = "langfuse-database"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
ACCOUNT = "langfuse"
CLICKHOUSE_ACCOUNT = "langfuse-clickhouse"
CLICKHOUSE_STATEFUL_SET = "langfuse-clickhouse-shard0"
WEB, WORKER = "langfuse-web", "langfuse-worker"
STORAGE_CLASS = "genai-platform"
ORGANISATION = PROJECT = "genai"
MIGRATION_CONFIG_MAP = "langfuse-migration"
BACKFILL_KEY = "historic-backfill"
"""Whether Langfuse 4 may rewrite what Langfuse 3 wrote: ``false`` until it was read back (see ``steps/langfuse/chart_line.py``)."""


def image_tag(target: Target) -> str:
    """The configured version; the pinned chart's own; empty for another chart, which knows its own."""
    langfuse = target.settings.langfuse
    pinned = pins()["langfuse"][f"line{langfuse.chart.line}"]
    return langfuse.image_tag or (str(pinned["image_tag"]) if langfuse.chart.version == pinned["chart"] else "")


def split_image(image: str | None) -> dict[str, str]:
    """``registry/repository:tag`` in its three parts; empty for the chart's own."""
    if image is None:
        return {}
    path, _, tag = image.rpartition(":")
    registry, _, repository = path.partition("/")
    return {"registry": registry, "repository": repository, "tag": tag}


# -- S3 ----------------------------------------------------------------------------------------------
def disk_endpoint(target: Target, bucket: str) -> str:
    """The address of ClickHouse's disk: host style on AWS, path style where another endpoint is set."""
    if target.endpoints.aws.url:
        return f"{target.endpoints.aws.url.rstrip('/')}/{bucket}/{DISK_PREFIX}"
    return f"https://{bucket}.s3.{target.settings.platform.region}.amazonaws.com/{DISK_PREFIX}"


def backup_endpoint(target: Target, bucket: str, name: str) -> str:
    """The address of one of ClickHouse's backups."""
    return f"{disk_endpoint(target, bucket).removesuffix(DISK_PREFIX)}{BACKUP_PREFIX}{name}"


def s3disk_xml(target: Target, outputs: Outputs) -> str:
    """The file that ClickHouse reads its S3 disk and storage policy from.

    Raises:
        ConfigError: the template's policy does not list the S3 disk first and ``default`` last.
    """
    text = _environment().get_template("s3disk.xml.j2").render(
        disk=DISK, policy=POLICY, region=target.settings.platform.region, endpoint=disk_endpoint(target, outputs.storage.clickhouse_bucket)
    )  # fmt: skip
    check_policy(text)
    return text


def disk_settings(target: Target, outputs: Outputs) -> dict[str, Any]:
    """The same as ``s3disk_xml``, as the operator of line 2 takes it."""
    disk = {
        "type": "s3",
        "endpoint": disk_endpoint(target, outputs.storage.clickhouse_bucket),
        "region": target.settings.platform.region,
        "use_environment_credentials": True,
    }
    # Their order decides, and maps may be sorted on the way: so do the names.
    volumes = {"main": {"disk": DISK}, "spare": {"disk": "default"}}
    return {
        "storage_configuration": {"disks": {DISK: disk}, "policies": {POLICY: {"volumes": volumes}}},
        "merge_tree": {"storage_policy": POLICY},
    }


def disk_volume(name: str = DISK_VOLUME) -> dict[str, Any]:
    """The volume that carries the file. A changed mode would be a changed pod: both ways say the same one."""
    return {"name": name, "configMap": {"name": DISK_CONFIG_MAP, "defaultMode": 420}}


def disk_mount(name: str = DISK_VOLUME) -> dict[str, Any]:
    return {"name": name, "mountPath": DISK_PATH, "subPath": DISK_FILE, "readOnly": True}


# -- values --------------------------------------------------------------------------------------------
def values_text(target: Target, outputs: Outputs, public_url: str, client: SignInClient | None = None) -> str:
    """The values file, as ``genai render`` writes it.

    Args:
        public_url: Langfuse's address as browsers see it; becomes ``NEXTAUTH_URL``.
        client: what it signs people in with at Entra ID; its secret is not in the values.
    """
    settings = target.settings
    line = settings.langfuse.chart.line
    by_values = settings.langfuse.post_install == "values"
    s3_endpoint = target.endpoints.aws.url or ""  # empty for AWS's own
    cluster, data, storage = outputs.cluster, outputs.data, outputs.storage
    return _environment().get_template(f"line{line}.yaml.j2").render(
        image_tag=image_tag(target),
        public_url=public_url,
        secret=SECRET,
        storage_class=STORAGE_CLASS,
        accounts={"langfuse": ACCOUNT, "clickhouse": CLICKHOUSE_ACCOUNT},
        undisturbed=manifests.UNDISTURBED,
        annotations={
            "langfuse": {ROLE_ANNOTATION: cluster.langfuse_role_arn} if by_values else {},
            "clickhouse": {ROLE_ANNOTATION: cluster.clickhouse_role_arn} if by_values else {},
        },
        sign_up_disabled=client is None or settings.langfuse.passwords,
        variables=[
            *_variables(settings.langfuse.user_email),
            *(_migration(settings.langfuse.write_mode) if line == 2 else []),
            *sign_in.langfuse_variables(settings, client, SECRET, ORGANISATION),
        ],
        images={"clickhouse": split_image(settings.langfuse.clickhouse_image), "keeper": split_image(settings.langfuse.keeper_image)},
        postgres={"host": data.postgres_host, "port": data.postgres_port, "user": DATABASE, "database": DATABASE},
        redis={"host": data.redis_host, "port": data.redis_port},
        s3={
            "bucket": storage.langfuse_bucket, "region": settings.platform.region,
            "endpoint": s3_endpoint, "path_style": bool(s3_endpoint),
        },
        disk={
            "volumes": [disk_volume()] if by_values else [],
            "mounts": [disk_mount()] if by_values else [],
            "settings": disk_settings(target, outputs) if by_values else {},
        },
    )  # fmt: skip


def values(target: Target, outputs: Outputs, public_url: str, client: SignInClient | None = None) -> dict[str, Any]:
    """The same, as data."""
    [document] = manifests.parsed(values_text(target, outputs, public_url, client))
    return document


def _variables(user_email: str) -> list[dict[str, Any]]:
    """The web server's patience, and the headless start: organisation, project, key pair and first user, made at the first start."""
    plain = {
        # Milliseconds: longer than the load balancer (Langfuse FAQ, intermittent 502 and 504).
        "KEEP_ALIVE_TIMEOUT": str(manifests.KEEP_ALIVE * 1000),
        "LANGFUSE_INIT_ORG_ID": ORGANISATION,
        "LANGFUSE_INIT_ORG_NAME": ORGANISATION,
        "LANGFUSE_INIT_PROJECT_ID": PROJECT,
        "LANGFUSE_INIT_PROJECT_NAME": PROJECT,
        "LANGFUSE_INIT_USER_EMAIL": user_email,
        "LANGFUSE_INIT_USER_NAME": user_email.split("@")[0],
    }
    secret = {
        "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": "project-public-key",
        "LANGFUSE_INIT_PROJECT_SECRET_KEY": "project-secret-key",
        "LANGFUSE_INIT_USER_PASSWORD": "user-password",
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": name, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}} for name, key in secret.items()),
    ]


def _migration(write_mode: str) -> list[dict[str, Any]]:
    """How Langfuse 4 comes from Langfuse 3, for web and worker alike."""
    backfill = {"configMapKeyRef": {"name": MIGRATION_CONFIG_MAP, "key": BACKFILL_KEY, "optional": True}}
    return [
        {"name": "LANGFUSE_MIGRATION_V4_WRITE_MODE", "value": write_mode},
        {"name": "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL", "valueFrom": backfill},
    ]


# -- objects -------------------------------------------------------------------------------------------
def secret_document(secrets: PlatformSecrets, client: SignInClient | None = None) -> dict[str, Any]:
    """The Secret that the chart's values point to. Sent to the API server, never written anywhere."""
    entries = {
        "database-password": secrets.postgres_langfuse_password,
        "redis-password": secrets.redis_token,
        "clickhouse-password": secrets.clickhouse_password,
        "salt": secrets.langfuse_salt,
        "encryption-key": secrets.langfuse_encryption_key,
        "nextauth-secret": secrets.langfuse_nextauth_secret,
        "project-public-key": secrets.langfuse_public_key,
        "project-secret-key": secrets.langfuse_secret_key,
        "user-password": secrets.langfuse_user_password,
        **({} if client is None else {sign_in.langfuse_key(client): client.secret}),
    }
    return {
        **_head("v1", "Secret", SECRET),
        "type": "Opaque",
        "data": {key: base64.b64encode(value.get_secret_value().encode()).decode() for key, value in entries.items()},
    }


def disk_config_map(target: Target, outputs: Outputs) -> dict[str, Any]:
    """The config map with ClickHouse's disk file."""
    return {**_head("v1", "ConfigMap", DISK_CONFIG_MAP), "data": {DISK_FILE: s3disk_xml(target, outputs)}}


def database(outputs: DataOutputs, secrets: PlatformSecrets) -> list[Document]:
    """The job that makes the role and the database."""
    server, password = manifests.DatabaseServer.of(outputs, secrets), secrets.postgres_langfuse_password.get_secret_value()
    return manifests.database(DATABASE_JOB, server, image=POSTGRES_IMAGE, role=DATABASE, database=DATABASE, password=password)


def ingress(target: Target, inbound_cidrs: Sequence[str]) -> list[Document]:
    """Langfuse's ingress; its Service comes with the chart."""
    backend = manifests.Backend(WEB, 3000, "/api/public/health")
    return manifests.ingress("langfuse", backend, listener(target.settings, "langfuse"), inbound_cidrs)


def clickhouse_account(outputs: Outputs) -> dict[str, Any]:
    """Line 2 only: the service account ClickHouse's pods use, which that chart does not make."""
    head = _head("v1", "ServiceAccount", CLICKHOUSE_ACCOUNT)
    head["metadata"]["annotations"] = {ROLE_ANNOTATION: outputs.cluster.clickhouse_role_arn}
    return head


def _head(api_version: str, kind: str, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "genai-platform", "app.kubernetes.io/managed-by": "genai"}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}


@cache
def _environment() -> jinja2.Environment:
    return manifests.environment(shipped("helm") / "values", trim_blocks=True)
