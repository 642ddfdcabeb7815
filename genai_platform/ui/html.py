"""A report as one self-contained HTML page: endpoints, the architecture as it is, checks, the timeline of the last ``up``.

No script, no font, no picture from elsewhere; every text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from genai_platform.advice import typed
from genai_platform.engine.step import Observation, State
from genai_platform.engine.timeline import Timeline
from genai_platform.render.diagram import Diagram
from genai_platform.ui import architecture, timeline
from genai_platform.ui.text import duration

if TYPE_CHECKING:
    from genai_platform.checks.check import Result

_STYLE = (
    """
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #cf222e; --odd: #9a6700; --line: #8884; --quiet: #8c959f; --path: #0969da;
  --edge: #8c959f; --box: #fff; --ok-box: #dafbe1; --bad-box: #ffebe9; --odd-box: #fff8c5; }
@media (prefers-color-scheme: dark) { :root { --ok: #3fb950; --bad: #f85149; --odd: #d29922; --quiet: #6e7681;
  --path: #58a6ff; --box: #161b22; --ok-box: #12261e; --bad-box: #2d1618; --odd-box: #2b2111; }
  body { background: #0d1117; color: #e6edf3; } a { color: #58a6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th, td.word { white-space: nowrap; }
td.id { white-space: nowrap; font-family: ui-monospace, monospace; } td.time { white-space: nowrap; text-align: right; }
.pass, .present { color: var(--ok); } .fail, .absent { color: var(--bad); } .skip, .unknown, .drifted { color: var(--odd); }
.arch g { color: CanvasText; } .word { font-weight: 600; } .bar { height: .5rem; background: currentColor; opacity: .5; min-width: 2px; }
@media (max-width: 40rem) { body { margin-top: 1rem; } thead { display: none; } tr { display: block; border-bottom: 1px solid var(--line); }
  td, td.time { display: block; border: 0; padding: .1rem 0; text-align: left; } tr { padding: .4rem 0; } }
"""
    + architecture.STYLE
    + timeline.STYLE
)


@dataclass(frozen=True)
class Page:
    """What the page shows."""

    target: str
    """Which world that is, in words."""
    prefix: str
    drawn: Diagram
    """Its architecture, with the states of its parts."""
    states: Mapping[str, Observation]
    endpoints: Mapping[str, str]
    note: str
    """How far the addresses are protected, where that is less than usual."""
    results: Sequence[Result]
    seconds: float
    last_up: Timeline | None
    """When each step of the last ``up`` was at work; None: this machine knows of none."""


def write_page(path: Path, page: Page) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(page), encoding="utf-8")


def render(page: Page) -> str:
    """The page's text."""
    failed = sum(1 for result in page.results if result.status == "fail")
    passed = sum(1 for result in page.results if result.status == "pass")
    verdict = f"{failed} of {len(page.results)} checks failed" if failed else "all checks passed" if passed else "no check passed"
    there = sum(1 for finding in page.states.values() if finding.state is State.PRESENT)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>genai: {escape(page.target)}</title><style>{_STYLE}</style></head>
<body>
<h1>{escape(page.prefix)}: <span class="{"fail" if failed or not passed else "pass"}">{verdict}</span></h1>
<p>{escape(page.target)}, {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}, {duration(page.seconds)}</p>
<h2>Endpoints</h2>
{_endpoints(page.endpoints)}{f"<p>{escape(page.note)}</p>" if page.note else ""}
<h2>Architecture</h2>
{architecture.architecture(page.drawn)}
<h2>Timeline of the last <code>up</code></h2>
{timeline.timeline(page.last_up)}
<h2>Steps: {there} of {len(page.states)} present</h2>
{_table(("step", "state", "evidence"), [(id, finding.state.value, finding.evidence) for id, finding in page.states.items()])}
<h2>Checks</h2>
{_checks(page.results)}
</body></html>
"""


def _endpoints(endpoints: Mapping[str, str]) -> str:
    if not endpoints:
        return "<p>none</p>"
    rows = "".join(
        f'<tr><td class="id">{escape(name)}</td><td><a href="{escape(url)}">{escape(url)}</a></td></tr>' for name, url in endpoints.items()
    )
    return f"<table>{rows}</table>"


def _table(headers: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> str:
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(f'<tr><td class="id">{escape(id)}</td>{_word(state)}<td>{escape(text)}</td></tr>' for id, state, text in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _checks(results: Sequence[Result]) -> str:
    longest = max((result.seconds for result in results), default=1.0) or 1.0
    body = "".join(
        f'<tr><td class="id">{escape(result.id)}</td>{_word(result.status)}<td>{escape(result.evidence)}{_hint(result)}</td>'
        f'<td class="time">{duration(result.seconds)}<div class="bar" style="width:{100 * result.seconds / longest:.0f}%"></div></td></tr>'
        for result in results
    )
    return f"<table><thead><tr><th>check</th><th>result</th><th>evidence</th><th>time</th></tr></thead><tbody>{body}</tbody></table>"


def _hint(result: Result) -> str:
    return f"<br><em>{escape(typed(result.hint))}</em>" if result.status == "fail" and result.hint else ""


def _word(word: str) -> str:
    return f'<td class="word {escape(word)}">{escape(word)}</td>'
