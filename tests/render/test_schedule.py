"""When cron runs ``up`` and ``down``, and what a workflow of GitHub Actions does then."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from genai_platform.config.endpoints import Endpoints
from genai_platform.config.settings import Settings
from genai_platform.config.target import Target
from genai_platform.render.github_workflow import Workflow, workflow
from genai_platform.render.schedule import MARK, Schedule, crontab, days, moment, next_change, offset

WINTER = date(2026, 11, 29)
GUID = "11111111-2222-3333-4444-555555555555"
AZURE = {"enabled": True, "tenant_id": GUID, "subscription_id": GUID, "auth": "workload_identity"}
SETTINGS: dict[str, Any] = {
    "aws": {"account_id": "123456789012"},
    "terraform": {"backend": "s3"},
    "ingress": {"allowed_cidrs": ["203.0.113.0/24"]},
    "litellm": {"models": [{"name": "m", "azure_deployment": "m", "api_base": "https://a.example", "api_key_env": "TEAM_KEY"}]},
}


def schedule(up: str = "08:30", down: str = "19:00", on: str = "mon-fri", zone: str | None = None) -> Schedule:
    return Schedule(moment(up), moment(down), days(on), ZoneInfo(zone) if zone else None)


def made(times: Schedule, *, flags: str = "", on: date = WINTER, **settings: Any) -> tuple[Workflow, dict[str, Any]]:
    target = Target("default", Settings.model_validate({**SETTINGS, **settings}), Endpoints(), Path("/nowhere"))
    found = workflow(target, times, on, flags)
    return found, yaml.safe_load(found.text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("mon-fri", {0, 1, 2, 3, 4}), ("sat-mon", {5, 6, 0}), ("mon, WED-fri", {0, 2, 3, 4}), ("sun", {6}), ("tue-mon", set(range(7)))],
)
def test_days(text: str, wanted: set[int]) -> None:
    assert days(text) == wanted


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-fri", "1-5", "mon,,tue", "mon-fri-sat"])
def test_anything_else_is_refused_as_days(text: str) -> None:
    with pytest.raises(ValueError, match="mon-fri"):
        days(text)


@pytest.mark.parametrize("text", ["", "8:30", "24:00", "08:60", "0830", "08:30:00", "08:3٣", "08:30\n"])
def test_anything_else_is_refused_as_a_time(text: str) -> None:
    with pytest.raises(ValueError, match="08:30"):
        moment(text)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (schedule(), ("30 8 * * 1-5", "0 19 * * 1-5")),
        (schedule(on="sat-mon"), ("30 8 * * 0-1,6", "0 19 * * 0-1,6")),
        (schedule(on="mon-sun"), ("30 8 * * *", "0 19 * * *")),
        (schedule("22:00", "06:00", "mon,fri"), ("0 22 * * 1,5", "0 6 * * 2,6")),
    ],
)
def test_fields_of_cron(times: Schedule, wanted: tuple[str, str]) -> None:
    assert times.cron() == wanted


@pytest.mark.parametrize(
    ("zone", "on", "wanted"),
    [
        ("UTC", WINTER, ("30 8 * * 1-5", "0 19 * * 1-5")),
        ("Asia/Tokyo", WINTER, ("30 23 * * 0-4", "0 10 * * 1-5")),
        ("Asia/Kolkata", WINTER, ("0 3 * * 1-5", "30 13 * * 1-5")),
        ("Europe/Berlin", WINTER, ("30 7 * * 1-5", "0 18 * * 1-5")),
        ("Europe/Berlin", date(2026, 7, 1), ("30 6 * * 1-5", "0 17 * * 1-5")),
        ("America/Los_Angeles", WINTER, ("30 16 * * 1-5", "0 3 * * 2-6")),
    ],
)
def test_github_counts_in_utc(zone: str, on: date, wanted: tuple[str, str]) -> None:
    found, document = made(schedule(zone=zone), on=on)
    assert tuple(entry["cron"] for entry in document["on"]["schedule"]) == found.cron == wanted


def test_the_day_on_which_clocks_change_is_told() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert next_change(berlin, WINTER) == (date(2027, 3, 28), 60)
    assert next_change(berlin, date(2027, 3, 28)) == (date(2027, 10, 31), -60)
    assert next_change(ZoneInfo("Asia/Tokyo"), WINTER) is None
    assert offset(berlin, date(2027, 3, 28)) == 120
    found, _ = made(schedule(zone="Europe/Berlin"))
    assert "clocks in Europe/Berlin change on 2027-03-28: from then on it runs 60 min later" in found.warnings[-1]
    assert not [warning for warning in made(schedule(zone="Asia/Tokyo"))[0].warnings if "clocks" in warning]


def test_a_job_runs_the_commands_of_its_time() -> None:
    found, document = made(schedule(), flags=" --env work --set 'litellm.replicas=2'")
    up, down = document["jobs"]["up"], document["jobs"]["down"]
    assert up["if"] == "github.event.schedule == '30 8 * * 1-5' || inputs.command == 'up'"
    assert [step["run"] for step in up["steps"][-2:]] == [
        "genai up --for 630m --yes --env work --set 'litellm.replicas=2'",
        "genai verify --github --env work --set 'litellm.replicas=2'",
    ]
    assert down["if"] == "github.event.schedule == '0 19 * * 1-5' || inputs.command == 'down'"
    assert down["steps"][-1]["run"] == "genai down --yes --env work --set 'litellm.replicas=2'"
    assert document["concurrency"] == {"group": "genai-genai", "cancel-in-progress": False}
    assert found.text.splitlines()[0] == MARK


def test_nobodys_credential_is_stored() -> None:
    found, document = made(schedule(), azure=AZURE)
    assert document["permissions"] == {"contents": "read", "id-token": "write"}
    used = {step["uses"].partition("@")[0]: step.get("with") for step in document["jobs"]["down"]["steps"] if "uses" in step}
    assert used["aws-actions/configure-aws-credentials"] == {
        "role-to-assume": "arn:aws:iam::123456789012:role/${{ vars.GENAI_AWS_ROLE }}",
        "aws-region": "ap-northeast-1",
    }
    assert used["azure/login"] == {"client-id": "${{ vars.AZURE_CLIENT_ID }}", "tenant-id": GUID, "subscription-id": GUID}
    assert document["jobs"]["down"]["steps"][-1]["run"] == "genai down --yes --set azure.auth=cli"
    # The models' keys are the only secrets, and only `up` gets them.
    assert document["jobs"]["up"]["env"] == {"TEAM_KEY": "${{ secrets.TEAM_KEY }}"}
    assert "secrets." not in str(document["jobs"]["down"])
    assert {(need.kind, need.name) for need in found.needs} == {
        ("variable", "GENAI_AWS_ROLE"), ("variable", "GENAI_PACKAGE"), ("variable", "AZURE_CLIENT_ID"), ("secret", "TEAM_KEY"),
    }  # fmt: skip
    for need in found.needs:
        assert f"# Set in the repository: {need.kind} {need.name}:" in found.text


def test_without_azure_nobody_signs_in_there() -> None:
    _, document = made(schedule())
    assert "azure" not in str(document)


def test_a_region_of_another_partition() -> None:
    _, document = made(schedule(), platform={"region": "us-gov-west-1"})
    assert "arn:aws-us-gov:iam::123456789012:role/" in str(document)


def test_what_would_be_lost_with_the_machine_is_told() -> None:
    found, _ = made(schedule(), terraform={"backend": "local"}, ingress={})
    assert "the state is lost with the machine of the job" in found.warnings[0]
    assert "ingress.allowed_cidrs is empty" in found.warnings[1]
    assert f"# Warning: {found.warnings[0]}." in found.text
    assert not [warning for warning in made(schedule())[0].warnings if "state" in warning or "is empty" in warning]


@pytest.mark.parametrize("value", ["a: b # c", "x\n- run: evil", "'\"", "*anchor", "{{ y }}"])
def test_values_stay_values(value: str) -> None:
    _, document = made(schedule(), flags=f" --set {value}")
    assert document["jobs"]["down"]["steps"][-1]["run"] == f"genai down --yes --set {value}"
    assert set(document["jobs"]) == {"up", "down"}


def test_lines_of_a_crontab() -> None:
    text = crontab(schedule("22:00", "06:00", "fri", "Asia/Tokyo"), "/home/me/the 100% project", "/opt/bin/genai", " --env work")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert text.startswith(f"{MARK}\n")
    assert lines == [
        "CRON_TZ=Asia/Tokyo",
        r"0 22 * * 5 cd '/home/me/the 100\% project' && /opt/bin/genai up --for 480m --yes --plain --env work "
        "&& /opt/bin/genai verify --plain --env work",
        r"0 6 * * 6 cd '/home/me/the 100\% project' && /opt/bin/genai down --yes --plain --env work",
    ]


def test_without_a_zone_the_machines_own_counts() -> None:
    assert "CRON_TZ" not in crontab(schedule(), "/p", "genai", "")
