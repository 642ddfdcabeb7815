"""``genai open``, ``logs`` and ``env`` on the platform that stands."""

from __future__ import annotations

import subprocess

import pytest

from tests.end_to_end.conftest import GENAI, Platform


def test_litellm_is_opened_with_what_signs_in(platform: Platform) -> None:
    opened = platform.run("open", "litellm", "--login").document
    page, signed_in = opened["url"], {"username": opened["user"], "password": opened["password"]}
    assert page == platform.variables["OPENAI_BASE_URL"].removesuffix("/v1") + "/ui"
    with platform.http(page.removesuffix("/ui")) as http:
        assert "<html" in http.get("/ui", follow_redirects=True).raise_for_status().text.lower()
        # The page's own form: who is let in gets a cookie.
        assert "token" in http.post("/login", data=signed_in).cookies
        assert http.post("/login", data={**signed_in, "password": "another"}).status_code == 401


def test_an_address_alone_shows_no_password(platform: Platform) -> None:
    told = platform.run("open", "litellm", json=False)
    assert told.out.splitlines()[0].endswith("/ui")
    assert platform.variables["OPENAI_API_KEY"] not in told.out + told.err


def test_langfuse_is_opened_with_what_signs_in(platform: Platform) -> None:
    opened = platform.run("open", "langfuse", "--login").document
    assert opened["url"] == platform.variables["LANGFUSE_HOST"]
    assert (opened["user"], bool(opened["password"])) == ("admin@example.com", True)


def test_logs_are_those_of_the_workload_s_pods(platform: Platform) -> None:
    logs = platform.run("logs", "litellm", "--tail", "5").document["logs"]
    names = {name for name in platform.pods() if name.startswith("litellm-")}
    assert names <= set(logs)
    assert all(0 < len(logs[name].splitlines()) <= 5 for name in names)
    told = platform.run("logs", "litellm", json=False).out
    assert all(f"{name} | " in told for name in names)


def test_a_workload_that_does_not_run_is_answered_with_those_that_do(platform: Platform) -> None:
    error = platform.run("logs", "nothing", code=1).document["error"]
    assert error["id"] == "logs.no_pod"
    assert all(name in error["remedy"] for name in platform.pods())


def test_a_shell_takes_the_exports_for_clients(platform: Platform) -> None:
    script = f'eval "$({GENAI} env --sandbox)"; curl -sf "$OPENAI_BASE_URL/models" -H "Authorization: Bearer $OPENAI_API_KEY"'
    done = subprocess.run(["sh", "-c", script], cwd=platform.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"gpt-4o-mini"' in done.stdout
    assert platform.run("env").document["variables"] == platform.variables


@pytest.mark.parametrize("words", [("open", "somewhere"), ("open",), ("logs",)])
def test_wrong_usage_is_told(platform: Platform, words: tuple[str, ...]) -> None:
    assert platform.run(*words, code=2).document["error"]["id"] == "usage"
