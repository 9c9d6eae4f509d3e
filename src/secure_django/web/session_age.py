"""Sessions that a clock which ran ahead would keep alive end at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from secure_django.clock import CLOCK_DIFFERENCE, is_ahead

TIMES = ("started", "renewed")  # of SessionTimeoutMiddleware


def has_time_ahead(data: Mapping[str, Any]) -> bool:
    """Return whether a session began, or was renewed, in the future."""
    moments = [data[name] for name in TIMES if data.get(name)]
    return any(is_ahead(datetime.fromisoformat(moment)) for moment in moments)


def check_when_loaded(session: SessionBase) -> None:
    """Let a session end when it is loaded, if it has a time ahead.

    Not earlier: a request that needs no session loads none.
    """
    load = session.load
    aload = session.aload

    def load_in_time() -> dict[str, Any]:
        data: dict[str, Any] = load()
        if not has_time_ahead(data):
            return data
        session.flush()
        return {}

    async def aload_in_time() -> dict[str, Any]:
        data: dict[str, Any] = await aload()
        if not has_time_ahead(data):
            return data
        await session.aflush()
        return {}

    setattr(session, "load", load_in_time)  # noqa: B010
    setattr(session, "aload", aload_in_time)  # noqa: B010


def delete_sessions_ahead() -> None:
    """Delete sessions with a time ahead, which nobody may load until that time."""
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    if not hasattr(store, "get_model_class"):  # not in the database
        return
    idle = timedelta(seconds=settings.SESSION_COOKIE_AGE)
    longest = timezone.now() + idle + CLOCK_DIFFERENCE
    rows = store.get_model_class().objects.filter(expire_date__gt=longest)
    for row in rows.iterator():
        session = store(row.session_key)
        if has_time_ahead(session.decode(row.session_data)):
            session.delete()
