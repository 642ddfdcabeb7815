"""Every environment of this tool in an AWS account and in Azure subscriptions, no matter who made it and from where.

Nothing is known of them but what the clouds tell: their names are in the tags of everything made here
(``Target.tags``). What carries no tag (objects in somebody's API Management service, Entra applications) is found only along with
something that does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from genai_platform.config.unit_prices import apim_usd_per_hour
from genai_platform.errors import GenaiError
from genai_platform.tools.aws import lifetime
from genai_platform.tools.aws import regions as regions_of
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import explained
from genai_platform.tools.aws.leftovers import items, search
from genai_platform.tools.aws.leftovers.items import Item
from genai_platform.tools.azure.listings import Resource
from genai_platform.tools.parallel import gather

if TYPE_CHECKING:
    from genai_platform.tools.azure import Azure

PLATFORM, ENVIRONMENT = "genai:platform", "genai:environment"
_GLOBAL = frozenset({"iam", "route53", "s3"})
"""Services whose ARNs name no region; the region that tells of them says nothing about where an environment is."""


class Key(NamedTuple):
    """What an environment is called."""

    platform: str
    environment: str


@dataclass(frozen=True)
class Environment:
    """One environment that exists; None and empty: not known."""

    key: Key
    regions: tuple[str, ...] = ()
    """Where it is: AWS regions, then Azure ones."""
    resources: int = 0
    started: datetime | None = None
    owner: str | None = None
    ends: datetime | None = None
    usd_per_hour: float = 0.0


@dataclass
class Found:
    """What was found, and one line for each thing that could not be looked at."""

    environments: list[Environment] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def look(aws: Aws, azures: Sequence[Azure], regions: Sequence[str] = ()) -> Found:
    """Look through an account and subscriptions.

    Args:
        aws: the client for the account; in its region the others are asked for.
        azures: a client for each subscription.
        regions: AWS regions; empty: all that the account has enabled.
    """
    found = Found()
    in_aws = _in_aws(aws, regions, found)
    in_azure = [one for azure in azures for one in _in_azure(azure, found)]
    by_key: dict[Key, Environment] = {}
    for one in [*in_aws, *in_azure]:
        by_key[one.key] = _joined(by_key[one.key], one) if one.key in by_key else one
    found.environments = sorted(by_key.values(), key=lambda one: (-one.usd_per_hour, one.key))
    return found


def _joined(first: Environment, second: Environment) -> Environment:
    """Both halves of an environment."""
    begun = [moment for moment in (first.started, second.started) if moment is not None]
    return replace(
        first,
        regions=(*first.regions, *(name for name in second.regions if name not in first.regions)),
        resources=first.resources + second.resources,
        started=min(begun, default=None),
        owner=first.owner or second.owner,
        ends=first.ends or second.ends,
        usd_per_hour=round(first.usd_per_hour + second.usd_per_hour, 5),
    )


# -- AWS ------------------------------------------------------------------------------------------
def _in_aws(aws: Aws, regions: Sequence[str], found: Found) -> list[Environment]:
    try:
        names = list(regions) or regions_of.enabled(aws)
    except GenaiError as error:
        found.unseen.append(error.message)
        return []

    def ask(region: str) -> tuple[set[tuple[Key, bool]], str]:
        try:
            return _known(_at(aws, Key("genai", "default"), region)), ""
        except GenaiError as error:
            return set(), f"{region}: {error.message}"

    answers = gather(names, ask)
    found.unseen += [fault for _, fault in answers if fault]
    home: dict[Key, list[str]] = {}
    elsewhere: dict[Key, list[str]] = {}
    for region, (known, _) in zip(names, answers, strict=True):
        for key, regional in sorted(known):
            (home if regional else elsewhere).setdefault(key, []).append(region)
    there = sorted((elsewhere | home).items())
    result = gather(there, lambda entry: _environment(aws, *entry), at_once=4)
    found.unseen += [line for _, unseen in result for line in unseen]
    return [one for one, _ in result if one is not None]


def _known(aws: Aws) -> set[tuple[Key, bool]]:
    """The environments that a region tells of, each with whether by something that lies in the region. Raises ``GenaiError``."""
    found: set[tuple[Key, bool]] = set()
    with explained("list what carries this tool's tags"):
        for entry in items.pages(
            aws, "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=[{"Key": PLATFORM}, {"Key": ENVIRONMENT}]
        ):
            service = str(entry["ResourceARN"]).split(":")[2]
            found |= {(key, service not in _GLOBAL) for key in _named(_plain(entry["Tags"]))}
        # Networks are asked for directly: the tagging service learns of a new one after a while.
        for vpc in items.pages(aws, "ec2", "describe_vpcs", "Vpcs", Filters=[{"Name": "tag-key", "Values": [PLATFORM]}]):
            found |= {(key, True) for key in _named(_plain(vpc.get("Tags", ())))}
    return found


def _plain(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _named(tags: Mapping[str, str]) -> list[Key]:
    """What tags call an environment; nothing when they are not such tags."""
    return [Key(tags[PLATFORM], tags[ENVIRONMENT])] if tags.get(PLATFORM) and tags.get(ENVIRONMENT) else []


def _at(aws: Aws, key: Key, region: str) -> Aws:
    """The same account, as an environment of this name in that region sees it."""
    # Not validated: whatever somebody wrote into a tag is a name to look for.
    there = aws.target.having("platform", name=key.platform, region=region)
    return aws.sharing(replace(there, environment=key.environment))


def _environment(aws: Aws, key: Key, regions: Sequence[str]) -> tuple[Environment | None, list[str]]:
    """An environment with what it consists of; None: nothing of it exists any more, the tagging service only remembers it."""
    held: dict[tuple[str, str], Item] = {}
    unseen: list[str] = []
    result = Environment(key, tuple(regions))
    for region in regions:
        there = _at(aws, key, region)
        seen = search.look(there)
        held |= {(item.kind, item.id): item for item in seen.items}
        unseen += [f"{region}: {line}" for line in seen.unseen]
        result = _joined(result, _life(there, key, unseen))
    if not held:
        return None, unseen
    usd = round(sum(item.usd_per_hour for item in held.values()), 5)
    return replace(result, resources=len(held), usd_per_hour=usd), unseen


def _life(aws: Aws, key: Key, unseen: list[str]) -> Environment:
    """Since when, whose and until when."""
    try:
        known = lifetime.read(aws) or lifetime.Lifetime()
        started, owner = known.started or lifetime.since(aws), known.started_by or lifetime.owner(aws)
        return Environment(key, started=started, owner=owner, ends=known.ends)
    except GenaiError as error:
        unseen.append(f"{aws.region}: {error.message}")
        return Environment(key)


# -- Azure ----------------------------------------------------------------------------------------
def _in_azure(azure: Azure, found: Found) -> list[Environment]:
    try:
        resources = azure.listings.tagged(PLATFORM)
    except GenaiError as error:
        found.unseen.append(f"Azure subscription {azure.subscription}: {error.message}")
        return []
    by_key: dict[Key, list[Resource]] = {}
    for one in resources:
        for key in _named(one.tags):
            by_key.setdefault(key, []).append(one)
    return [_of(key, those) for key, those in sorted(by_key.items())]


def _of(key: Key, resources: Iterable[Resource]) -> Environment:
    those = list(resources)
    usd = sum(apim_usd_per_hour(one.sku) for one in those if one.type.lower() == "microsoft.apimanagement/service")
    return Environment(
        key,
        tuple(dict.fromkeys(one.location for one in those if one.location)),
        len(those),
        min((one.created for one in those if one.created is not None), default=None),
        next((owner for one in those if (owner := lifetime.owner_of(one.tags))), None),
        usd_per_hour=usd,
    )
