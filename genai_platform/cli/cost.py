"""``genai cost``: what the platform costs, part by part, and what it would cost in other shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run
from genai_platform.errors import ConfigError

if TYPE_CHECKING:
    from genai_platform.config.prices import Part
    from genai_platform.config.settings import Settings
    from genai_platform.config.unit_prices import Prices

Preset = Annotated[str | None, typer.Option("--preset", help="Price this shape instead of the configured one.", metavar="NAME")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Fetch current prices from both clouds' price lists and keep them for 30 days.")]
app = typer.Typer()


@command(app, "cost", "genai cost --set network.nat=per-zone")
def cost(run: Run, preset: Preset = None, refresh: Refresh = False) -> int:
    """Show what the configured platform costs by hour, day and month, and what was spent since up."""
    from genai_platform.cli import price_list
    from genai_platform.cli import spent as accounts
    from genai_platform.config.prices import parts, provenance, usd_per_hour
    from genai_platform.ui.text import dollars

    settings = _shape(run.settings, preset)
    complete = price_list.refresh(run) if refresh else True
    screen, prices = run.screen, price_list.current(settings)
    screen.target = run.world.describe()
    total, shapes = usd_per_hour(settings, prices=prices), _shapes(run.settings, prices)
    account = None if preset else accounts.spent(run)
    rows = []
    for part in parts(settings):
        amounts = _amounts(part.usd_per_hour(prices))
        day, month = f"${amounts['usd_per_day']:.2f}", f"${amounts['usd_per_month']:.2f}"
        rows.append([part.part, part.step, dollars(amounts["usd_per_hour"]), day, month])
    title = screen.target + (f", as the preset '{preset}'" if preset else "")
    screen.table(["part", "step", "hour", "day of 8 h", "month"], rows, title=title)
    amounts = _amounts(total)
    screen.tell(f"about {dollars(total)}")
    screen.tell(f"  ${amounts['usd_per_day']:.2f} for a working day of 8 hours")
    screen.tell(f"  ${amounts['usd_per_working_month']:.0f} for 22 such days, with `genai down` each evening")
    screen.tell(f"  ${amounts['usd_per_month']:.0f} for a month without `genai down`")
    if account:
        screen.tell(f"spent {run.world.spent(account.told)}")
    rows = []
    for one in shapes:
        days, month = f"${one['usd_per_working_month']:.0f}", f"${one['usd_per_month']:.0f}"
        rows.append([one["name"], one["description"], dollars(one["usd_per_hour"]), days, month])
    screen.table(["preset", "what it is", "hour", "22 days of 8 h", "month"], rows, title="other shapes")
    screen.say("tokens, requests, traffic and stored bytes come on top")
    sources = provenance(settings, prices)
    for line in sources:
        screen.say(line)
    screen.say("an estimate; check the providers' calculators")
    screen.document(
        {
            **amounts,
            "preset": preset,
            "source": "; ".join(sources),
            "parts": [_part(part, settings, prices) for part in parts(settings)],
            "spent": accounts.document(account),
            "presets": shapes,
        }
    )
    return 0 if complete else 1


def _shape(settings: Settings, preset: str | None) -> Settings:
    from genai_platform.config.presets import PRESETS

    if preset is None:
        return settings
    if preset not in PRESETS:
        raise ConfigError(f"--preset {preset!r} is not a preset", remedy=f"one of: {', '.join(PRESETS)}", id="usage.preset")
    return PRESETS[preset].applied(settings)


def _shapes(settings: Settings, prices: Prices) -> list[dict[str, Any]]:
    from genai_platform.config.presets import PRESETS
    from genai_platform.config.prices import usd_per_hour

    return [
        {"name": name, "description": preset.description, **_amounts(usd_per_hour(preset.applied(settings), prices=prices))}
        for name, preset in PRESETS.items()
    ]


def _amounts(usd_per_hour: float) -> dict[str, float]:
    from genai_platform.config.prices import DAYS_A_MONTH, HOURS_A_DAY
    from genai_platform.config.unit_prices import HOURS_A_MONTH

    return {
        "usd_per_hour": usd_per_hour,
        "usd_per_day": round(usd_per_hour * HOURS_A_DAY, 2),
        "usd_per_working_month": round(usd_per_hour * HOURS_A_DAY * DAYS_A_MONTH, 2),
        "usd_per_month": round(usd_per_hour * HOURS_A_MONTH, 2),
    }


def _part(part: Part, settings: Settings, prices: Prices) -> dict[str, Any]:
    from genai_platform.config.prices import region_of

    amounts = _amounts(round(part.usd_per_hour(prices), 5))
    units = []
    for quantity, unit in part.units:
        price = prices[unit]
        where = {"region": price.region, "of_this_region": price.region == region_of(unit, settings), "page": price.page or None}
        each = {"usd_per_hour": round(price.usd_per_hour, 7), "source": price.source, "date": price.date}
        units.append({"unit": unit, "quantity": quantity, **each, **where})
    return {"step": part.step, "part": part.part, **amounts, "units": units}
