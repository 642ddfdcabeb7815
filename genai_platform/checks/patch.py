"""patch.*: what runs carries the identities and the disk, seen on the running pods and asked of ClickHouse itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genai_platform.advice import advice, genai, joined, run_genai
from genai_platform.checks import clickhouse_query
from genai_platform.checks.check import Check, Outcome
from genai_platform.checks.platform import FunctionCheck, Platform, failed, passed
from genai_platform.render import langfuse
from genai_platform.render.clickhouse_disk import DISK, POLICY

_VARIABLE = "AWS_ROLE_ARN"
_FIX = run_genai("patch")


def checks(platform: Platform) -> list[Check]:
    """The checks of this family."""
    return [FunctionCheck("patch.identity", 120, lambda: _identity(platform)), FunctionCheck("patch.disk", 240, lambda: _disk(platform))]


def _identity(platform: Platform) -> Outcome:
    outputs = platform.cluster()
    seen, wrong = list[str](), list[str]()
    running = {
        langfuse.WEB: (platform.pods_of("Deployment", langfuse.WEB), outputs.langfuse_role_arn),
        langfuse.WORKER: (platform.pods_of("Deployment", langfuse.WORKER), outputs.langfuse_role_arn),
        "ClickHouse": (_clickhouse_pods(platform), outputs.clickhouse_role_arn),
    }
    for pods, role in running.values():
        _compare(pods, role, seen, wrong)
    missing = [f"{name} has no running pod" for name, (pods, _) in running.items() if not pods]
    if missing:
        hint = advice("see what exists: {}; run: {}, then {}", genai("status"), genai("langfuse"), genai("patch"))
        return failed("; ".join([*missing, *wrong][:5]), hint)
    if wrong:
        return failed("; ".join(wrong[:5]), joined("the role annotations came after the pods started, or are missing", _FIX))
    return passed(f"{len(seen)} pods carry their role: {', '.join(sorted(seen))}")


def _compare(pods: Sequence[Mapping[str, Any]], role: str, seen: list[str], wrong: list[str]) -> None:
    for pod in pods:
        name = str(pod["metadata"]["name"])
        variables = [one for container in pod["spec"]["containers"] for one in container.get("env") or ()]
        found = {one.get("value") for one in variables if one["name"] == _VARIABLE}
        if found == {role}:
            seen.append(name)
        else:
            wrong.append(f"{name} has {_VARIABLE} {', '.join(sorted(str(one) for one in found)) or 'not set'}, not {role}")


def _disk(platform: Platform) -> Outcome:
    pods = _clickhouse_pods(platform)
    if not pods:
        return failed("ClickHouse has no running pod", run_genai("langfuse"))
    # With the operator of line 2 the same settings come through its own configuration file.
    by_file = platform.settings.langfuse.chart.line == 1
    without = [str(pod["metadata"]["name"]) for pod in pods if by_file and not _mounts(pod)]
    if without:
        return failed(f"{', '.join(without)} does not mount {langfuse.DISK_PATH}", _FIX)
    answer = clickhouse_query.ask(platform.clients.kube, platform.settings.langfuse.chart.line)
    started_before = joined("it started before the file was there", _FIX)
    disks = [name for name, _ in answer.disks]
    if DISK not in disks:
        return failed(f"ClickHouse knows the disks {', '.join(disks) or 'none'}, not {DISK}", started_before)
    volumes = [disk for policy, _, members in answer.policies if policy == POLICY for disk in members]
    if not volumes:
        return failed(f"ClickHouse does not know the policy {POLICY}", started_before)
    if volumes[0] != DISK or volumes[-1] != "default":
        return failed(f"the policy {POLICY} lists {', '.join(volumes)}", joined(f"{DISK} must come first and default last", _FIX))
    kind = dict(answer.disks)[DISK]
    if kind.lower() == "local":
        return failed(f"ClickHouse's disk {DISK} is a local one", joined("its configuration was changed by hand", _FIX))
    where = f"mounted in {len(pods)} pods" if by_file else f"configured by the operator in {len(pods)} pods"
    return passed(f"{where}; ClickHouse has disk {DISK} ({kind}) and policy {POLICY}: {', '.join(volumes)}")


def _mounts(pod: Mapping[str, Any]) -> bool:
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts") or ():
            if mount["mountPath"] == langfuse.DISK_PATH and mount.get("subPath") == langfuse.DISK_FILE:
                volume: Mapping[str, Any] = next((one for one in pod["spec"].get("volumes") or () if one["name"] == mount["name"]), {})
                if (volume.get("configMap") or {}).get("name") == langfuse.DISK_CONFIG_MAP:
                    return True
    return False


def _clickhouse_pods(platform: Platform) -> list[dict[str, Any]]:
    if platform.settings.langfuse.chart.line == 1:
        return platform.pods_of("StatefulSet", langfuse.CLICKHOUSE_STATEFUL_SET)
    # The operator's pods are known by the account they run as.
    return [pod for pod in platform.pods() if pod["spec"].get("serviceAccountName") == langfuse.CLICKHOUSE_ACCOUNT]
