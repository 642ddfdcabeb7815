"""The step that gives Redis its token. Terraform must not: an argument of a resource lies in its state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from genai_platform.advice import run_genai
from genai_platform.engine.step import Change, Observation, Progress, State, absent, drifted, present
from genai_platform.errors import StepError
from genai_platform.steps.clients import Clients
from genai_platform.tools.aws.errors import explained, unless_absent
from genai_platform.tools.wait import wait_for

_TAG = "genai:redis-token"
"""How far the token is: ``rotated MOMENT``, then ``set``. Terraform leaves it alone (``ignore_tags`` in the root ``data``)."""
_SET = "set"


@dataclass(frozen=True)
class RedisStep:
    """The token of the replication group.

    Args:
        interval: seconds between two looks while ElastiCache works.
    """

    clients: Clients
    interval: float = 5
    needs: tuple[str, ...] = ("infra.data",)
    minutes: float = 3
    limit: float = 1200
    id: str = "infra.redis"

    def observe(self) -> Observation:
        found = self._look()
        if found.state is State.PRESENT:
            return found
        # The group is not this step's: its token is changed, also where there is none yet.
        return replace(found, changes=(Change("update", f"token of Redis {self._name}", found.evidence),))

    def _look(self) -> Observation:
        group = self._group()
        if group is None:
            return absent("no replication group")
        if not group.get("AuthTokenEnabled"):
            return absent(f"{self._name} takes no token yet")
        if _working(group):
            return drifted(f"{self._name} is {_working(group)}")
        if self._mark_of(group) != _SET:  # it comes after ROTATE
            return drifted(f"{self._name} takes its token, and may take clients without one, too")
        return present(f"{self._name} demands its token")

    def apply(self, progress: Progress) -> str:
        token = self.clients.secrets().redis_token.get_secret_value()
        group = self._settle(progress)
        # A group without any token accepts one in addition to none at first (ROTATE), and demands it only when it is set once more.
        # AWS takes SET after ROTATE only, and may refuse a ROTATE to the token in use: neither is sent twice.
        if not group.get("AuthTokenEnabled"):
            self._modify(token, "ROTATE")
            group = self._settle(progress)
        if not self._mark_of(group):
            self._mark(group, _rotated(group))
        if self._mark_of(group) == _rotated(group):
            self._modify(token, "SET")
            group = self._settle(progress)
        self._mark(group, _SET)
        found = self.observe()
        if found.state is not State.PRESENT:
            raise StepError(f"Redis did not take its token: {found.evidence}", id="infra.redis")
        return found.evidence

    def destroy(self, progress: Progress) -> str:
        return "the token goes with infra.data"

    @property
    def _name(self) -> str:
        return self.clients.target.prefix

    def _group(self) -> dict[str, Any] | None:
        with explained(f"look at Redis {self._name}"):
            found = unless_absent(self.clients.aws.client("elasticache").describe_replication_groups, ReplicationGroupId=self._name)
        return dict(found["ReplicationGroups"][0]) if found else None

    def _modify(self, token: str, strategy: str) -> None:
        with explained(f"give Redis {self._name} its token"):
            self.clients.aws.client("elasticache").modify_replication_group(
                ReplicationGroupId=self._name, AuthToken=token, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True
            )

    def _mark_of(self, group: dict[str, Any]) -> str:
        """How far the token is. The group itself does not tell, so a tag does; empty: there is none."""
        with explained(f"look at the tags of Redis {self._name}"):
            tags = self.clients.aws.client("elasticache").list_tags_for_resource(ResourceName=group["ARN"])["TagList"]
        return next((str(tag["Value"]) for tag in tags if tag["Key"] == _TAG), "")

    def _mark(self, group: dict[str, Any], value: str) -> None:
        with explained(f"tag Redis {self._name}"):
            self.clients.aws.client("elasticache").add_tags_to_resource(ResourceName=group["ARN"], Tags=[{"Key": _TAG, "Value": value}])

    def _settle(self, progress: Progress) -> dict[str, Any]:
        """Wait until ElastiCache has done; the group then."""
        status = ""

        def look() -> dict[str, Any] | None:
            nonlocal status
            group = self._group()
            if group is None:
                raise StepError(f"Redis {self._name} does not exist", remedy=run_genai("infra --only infra.data"), id="infra.redis")
            status = _working(group)
            return None if status else group

        return wait_for(look, progress, lambda: f"Redis {self._name}: {status}", self.limit, self.interval)


def _rotated(group: dict[str, Any]) -> str:
    """The mark of a group whose last change of the token was ROTATE; after SET its moment is another."""
    return f"rotated {group.get('AuthTokenLastModifiedDate', '')}".strip()


def _working(group: dict[str, Any]) -> str:
    """What ElastiCache is still doing with the group; empty: nothing."""
    if group["Status"] != "available":
        return str(group["Status"])
    pending = (group.get("PendingModifiedValues") or {}).get("AuthTokenStatus")
    return f"{str(pending).lower()} its token" if pending else ""
