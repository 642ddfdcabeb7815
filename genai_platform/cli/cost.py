"""``genai cost``: what the platform costs an hour, part by part."""

from __future__ import annotations

import typer

from genai_platform.cli.command import command
from genai_platform.cli.run import Run


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "cost", "genai cost --set network.nat=per-zone")
    def cost(run: Run) -> None:
        """Show what the configured platform costs an hour."""
        from genai_platform.config.prices import HOURS_A_MONTH, SOURCE, prices, usd_per_hour
        from genai_platform.ui.text import dollars

        settings = run.settings
        run.screen.target = run.world.describe()
        parts = prices(settings)
        total = usd_per_hour(settings)
        rows = [[price.part, price.step, dollars(price.usd_per_hour)] for price in parts]
        run.screen.table(["part", "step", "cost"], rows, title=run.screen.target)
        run.screen.tell(f"about {dollars(total)}")
        run.screen.tell(f"  ${total * 8:.2f} for a working day of 8 hours")
        run.screen.tell(f"  ${total * HOURS_A_MONTH:.0f} for a month without `genai down`")
        run.screen.say("tokens, requests, traffic and stored bytes come on top")
        run.screen.say(SOURCE)
        run.screen.document(
            {
                "usd_per_hour": total,
                "source": SOURCE,
                "parts": [{"step": price.step, "part": price.part, "usd_per_hour": round(price.usd_per_hour, 5)} for price in parts],
            }
        )
