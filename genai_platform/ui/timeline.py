"""The timeline of a run as HTML: bars that follow the width of the page, so that a telephone shows it, too."""

from __future__ import annotations

from html import escape

from genai_platform.engine.timeline import Bar, Timeline
from genai_platform.ui.text import clock, duration

STYLE = """
.time { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem; font-size: .85rem; }
.time .name { font-family: ui-monospace, monospace; white-space: nowrap; }
.time .track { position: relative; min-height: 1.2rem;
  background: linear-gradient(90deg, var(--line) 1px, transparent 1px) 0 0 / 25% 100%; }
.time .track i { position: absolute; top: .25rem; height: .7rem; min-width: 2px; background: var(--quiet); border-radius: 2px; }
.time .track b { position: absolute; white-space: nowrap; font-weight: 400; padding: 0 .35rem; }
.time .track b.before { transform: translateX(-100%); } .time .track b.inside { color: Canvas; }
.time .critical { font-weight: 700; } .time .critical i { background: var(--path); height: 1rem; top: .1rem; }
.time .failed i { background: var(--bad); } .time .axis { display: flex; justify-content: space-between; opacity: .75; }
@media (max-width: 40rem) { .time { grid-template-columns: 1fr; gap: 0; }
  .time .axis { margin-top: .3rem; } .time > span:empty { display: none; } }
"""


def timeline(run: Timeline | None) -> str:
    """The bars of a run, or a sentence where there was none."""
    if run is None or not run.bars:
        return "<p>none is known on this machine</p>"
    path = " → ".join(escape(bar.step) for bar in run.critical_path)
    ended = "" if run.finished else ", which did not finish"
    rows = "".join(_row(bar, max(run.seconds, 0.001)) for bar in run.bars)
    ticks = "".join(f"<span>{clock(run.seconds * quarter / 4)}</span>" for quarter in range(5))
    return (
        f"<p>{run.began.astimezone():%Y-%m-%d %H:%M}, {duration(run.seconds)}{ended}. Critical path (bold): {path}</p>"
        f'<div class="time">{rows}<span></span><span class="axis">{ticks}</span></div>'
    )


def _row(bar: Bar, whole: float) -> str:
    start, end = (100 * min(at / whole, 1.0) for at in (bar.start, bar.end))
    took, outcome = duration(bar.end - bar.start), bar.outcome or "not finished"
    # Next to its bar, on the side where there is room; else in it, since it is long then.
    at, side = (end, "") if end < 75 else (start, ' class="before"') if start > 30 else (start, ' class="inside"')
    classes = " ".join(filter(None, ("critical" if bar.critical else "", "failed" if bar.outcome == "failed" else "")))
    return (
        f'<span class="name {classes}">{escape(bar.step)}</span>'
        f'<span class="track {classes}" title="{escape(bar.step)}: {escape(outcome)} after {took}">'
        f'<i style="left:{start:.2f}%;width:{end - start:.2f}%"></i><b{side} style="left:{at:.2f}%">{took}</b></span>'
    )
