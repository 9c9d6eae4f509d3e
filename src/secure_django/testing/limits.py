"""The limits of allauth, as tests read them."""

import re


def rates(text: str) -> list[tuple[str, int, int]]:
    """Return per what, how often, and in how many seconds a limit allows something."""
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    limits = re.findall(r"(\d+)/(\d*)([smhd])/(\w+)", text)
    return [
        (per, int(amount), int(count or 1) * seconds[unit])
        for amount, count, unit, per in limits
    ]
