"""Errors for Sentry: where they happened, without text, variables, request or user."""

from typing import Any

from core.logging import request_id

SENT_FIELDS = {
    "event_id",
    "timestamp",
    "platform",
    "level",
    "logger",
    "release",
    "server_name",
    "exception",
}


def start(dsn: str) -> None:
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    options: dict[str, Any] = {
        # Django logs the errors of views. Other integrations read requests, users and
        # arguments of commands.
        "default_integrations": False,
        "integrations": [
            ExcepthookIntegration(),
            # Sends the error that ends a process. The default callback would print a
            # line that is not JSON.
            AtexitIntegration(callback=lambda pending, timeout: None),
            LoggingIntegration(level=None),
        ],
        "include_local_variables": False,
        "before_send": strip_event,
    }
    sentry_sdk.init(dsn, **options)


def strip_event(event: dict[str, Any], hint: object) -> dict[str, Any] | None:
    """Return what may leave the site; the request's id leads to the rest in the log."""
    for error in event.get("exception", {}).get("values", ()):
        error["value"] = ""
        for frame in error.get("stacktrace", {}).get("frames", ()):
            frame.pop("vars", None)
    sent = {name: event[name] for name in SENT_FIELDS & event.keys()}
    sent["tags"] = {"request_id": request_id.get()}
    return sent if "exception" in sent else None
