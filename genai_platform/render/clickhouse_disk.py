"""The one rule about ClickHouse's storage policy: the S3 disk first, ``default`` last."""

from __future__ import annotations

from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree

from genai_platform.errors import ConfigError

DISK = "s3disk"
POLICY = "s3_main"


def check_policy(text: str) -> str:
    """Refuse a configuration with which ClickHouse would not start or would not use S3; return the policy's name.

    Tables that exist already adopt the policy that ``merge_tree/storage_policy`` names. Their old parts lie on the disk
    ``default``: without it in the policy ClickHouse refuses to start.

    Raises:
        ConfigError: no such policy, an S3 disk that is not first, or ``default`` missing or not last.
    """
    try:
        root = ElementTree.fromstring(text.encode("utf-8"))
    except ParseError as error:
        raise _refused(f"it is not well-formed XML ({error})") from None
    name = (root.findtext("merge_tree/storage_policy") or "").strip()
    if not name:
        raise _refused("merge_tree/storage_policy is not set, so no table would use the S3 disk")
    policy = root.find(f"storage_configuration/policies/{name}")
    if policy is None:
        raise _refused(f"merge_tree/storage_policy names '{name}', which storage_configuration/policies does not have")
    disks = [(disk.text or "").strip() for volume in policy.findall("volumes/*") for disk in volume.findall("disk")]
    if not disks or disks[-1] != "default":
        raise _refused(
            f"the policy '{name}' lists {', '.join(disks) or 'no disk'}; the disk 'default' must be its last volume, "
            "otherwise a ClickHouse that already has tables does not start"
        )
    kind = (root.findtext(f"storage_configuration/disks/{disks[0]}/type") or "").strip()
    if kind not in ("s3", "object_storage", "cache"):
        raise _refused(f"the first disk of the policy '{name}' is '{disks[0]}', which is not an S3 disk")
    return name


def _refused(why: str) -> ConfigError:
    return ConfigError(
        f"the ClickHouse configuration s3disk.xml is refused: {why}",
        remedy="list the S3 disk first and 'default' last, or delete the config map clickhouse-s3-config to have it re-created",
        id="clickhouse.storage_policy",
    )
