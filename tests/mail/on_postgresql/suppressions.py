"""Reports about an address that arrive at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from pytest_django import Settings

from secure_django import conf
from secure_django.models import Suppression
from secure_django.testing import HANG_SECONDS, HTTPSClient
from tests.mail.provider import (
    SECRET,
    Postmark,
    basic,
    postmark_bounce,
    postmark_complaint,
)

THREADS = 8
ROUNDS = 10
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.control("suppressions")
def test_parallel_reports_make_one_row_and_lose_no_complaint(
    settings: Settings,
) -> None:
    assert connection.vendor == "postgresql"
    settings.MAILERS = {"server": conf.email_url(Postmark.url)}
    settings.EMAIL_WEBHOOK_SECRET = SECRET
    start = Barrier(THREADS)

    def report(thread: int) -> list[int]:
        statuses = []
        for number in range(ROUNDS):
            make = postmark_bounce if thread else postmark_complaint
            start.wait(HANG_SECONDS)
            response = HTTPSClient().post(
                "/webhooks/email/",
                make(f"{number}@example.com"),
                content_type="application/json",
                headers={"authorization": basic("webhook", SECRET)},
            )
            statuses.append(response.status_code)
        connections.close_all()
        return statuses

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(report, range(THREADS)))
    assert answers == [[200] * ROUNDS] * THREADS
    rows = Suppression.objects.all()
    assert {row.reason for row in rows} == {Suppression.Reason.COMPLAINT}
    assert len(rows) == ROUNDS
