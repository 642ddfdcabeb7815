"""``genai env list``: the environments of this folder, and of the buckets that hold Terraform's states."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from genai_platform.advice import advice, genai, typed
from genai_platform.cli import worlds
from genai_platform.cli.paths import state_path
from genai_platform.cli.run import Run
from genai_platform.cli.worlds import Purpose, World
from genai_platform.config.layers import FILE, Layer, validate
from genai_platform.engine.journal import read
from genai_platform.errors import GenaiError
from genai_platform.tools.aws import buckets, shared_settings
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.shared_settings import SharedSettings
from genai_platform.tools.terraform.client import ROOTS
from genai_platform.tools.terraform.state import States


@dataclass
class Known:
    """One environment; None: not known."""

    name: str
    local: bool
    """Whether it exists on this machine alone."""
    here: bool
    """Whether this folder has it."""
    target: str
    """Which world it is in, for people."""
    files: list[str]
    bucket: str | None = None
    last_up: str | None = None
    last_up_by: str | None = None
    present: bool | None = None


def show(run: Run, bucket: str | None) -> None:
    """List them.

    Args:
        bucket: a further bucket of Terraform's states.
    """
    unseen: list[str] = []
    found = [_here(run, world, unseen) for world in worlds.known(run.options, run.screen, run.project)]
    buckets = {one.bucket for one in found if one.bucket}
    if bucket:
        buckets.add(bucket.removeprefix("s3://").strip("/").partition("/")[0])
    for name in sorted(buckets):
        _look_into(run, name, found, unseen)
    if found:
        headers = ["environment", "where", "last up", "present", "state"]
        run.screen.table(headers, [_row(one) for one in found])
    else:
        run.screen.tell(typed(advice("no environment here; next: {}, or: {}", genai("init"), genai("env join BUCKET")), run.flags))
    for line in unseen:
        run.screen.tell(f"not seen: {line}")
    run.screen.document({"environments": [asdict(one) for one in found], "unseen": unseen})


def _here(run: Run, world: World, unseen: list[str]) -> Known:
    """An environment of this folder."""
    name = world.environment
    files = [one for one in (FILE, f"genai.{name}.toml") if (run.project / one).is_file()]
    known = Known(name, world.local, True, "-", files)
    ups = [one for one in read(state_path(run.project, name) / "journal.jsonl") if str(one.get("command")).split()[1:] == ["up"]]
    known.last_up = str(ups[-1]["time"]) if ups and "time" in ups[-1] else None
    try:
        known.target = world.describe()
        known.present = not world.absent() if world.local else _holds(world, known)
    except GenaiError as error:
        unseen.append(f"'{name}': {error.message}")
    return known


def _holds(world: World, known: Known) -> bool:
    """Whether a state of this environment holds anything. Raises ``GenaiError`` when one cannot be read."""
    aws = Aws(world.configured)
    states = States(world.configured, aws)
    if states.remote:
        aws.confirm_account()
        known.bucket = states.bucket()
    return _anything(states)


def _look_into(run: Run, bucket: str, found: list[Known], unseen: list[str]) -> None:
    """Add what a bucket knows: of the environments here when they were last built, and those that are not here."""
    try:
        aws = Aws(run.enter(Purpose.ACCOUNT))
        if not buckets.exists(aws, bucket):
            return
        for prefix, shared in shared_settings.every(aws, bucket):
            if shared is None:
                unseen.append(f"s3://{bucket}/{prefix}: a state without its configuration")
                continue
            same = [one for one in found if one.name == shared.environment and one.bucket == bucket]
            where = f"'{shared.environment}' of the platform {shared.platform}"
            known = same[0] if same else Known(shared.environment, run.world.local, False, where, [], bucket)
            known.last_up, known.last_up_by = shared.up, shared.by
            if not same:
                known.present = _elsewhere(aws, shared, f"s3://{bucket}/{prefix}")
                found.append(known)
    except GenaiError as error:
        unseen.append(error.message)


def _elsewhere(aws: Aws, shared: SharedSettings, place: str) -> bool:
    """Whether the states of an environment that is not configured here hold anything. Raises ``GenaiError``."""
    settings = validate([Layer(place, shared.settings)]).settings
    target = replace(aws.target, environment=shared.environment, settings=settings)
    return _anything(States(target, aws.sharing(target)))


def _anything(states: States) -> bool:
    return any(states.resources(root) for root in ROOTS)


def _row(one: Known) -> list[str]:
    present = {True: "yes", False: "no", None: "unknown"}[one.present]
    by = f" by {one.last_up_by}" if one.last_up_by else ""
    state = f"s3://{one.bucket}" if one.bucket else "-" if one.local else "this folder"
    return [one.name, one.target, f"{one.last_up}{by}" if one.last_up else "-", present, state]
