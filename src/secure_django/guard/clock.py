"""Clocks that tests stop, and move forward."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

type Travel = Callable[[timedelta], None]


def stop_clocks(monkeypatch: pytest.MonkeyPatch) -> Travel:
    """Stop the clocks of sessions, rate limits, emails and links.

    Return the function that moves them forward.
    """
    moves: list[timedelta] = []
    clocks = {
        "django.utils.timezone.now": timezone.now(),
        "django.contrib.auth.tokens.PasswordResetTokenGenerator._now": datetime.now(),
    }
    for name, start in clocks.items():
        monkeypatch.setattr(
            name, lambda *_, start=start: start + sum(moves, timedelta())
        )
    seconds = time.time()
    monkeypatch.setattr(
        "time.time", lambda: seconds + sum(moves, timedelta()).total_seconds()
    )
    return moves.append
