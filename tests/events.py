"""The events that the package logs."""

from typing import Any

import pytest


def fields_of(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """Return the fields of each event of a name."""
    records = [record for record in caplog.records if record.getMessage() == event]
    return [vars(record)["fields"] for record in records]
