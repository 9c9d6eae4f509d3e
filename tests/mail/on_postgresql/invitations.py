"""Invitations that several requests store at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection, connections
from django.test import RequestFactory

from secure_django.mail import invitations
from secure_django.mail.invitations import Budget, send_invitation
from secure_django.models import Mail
from secure_django.testing import HANG_SECONDS

THREADS = 8
TOTAL = 20
TEMPLATE = "account/email/unknown_account"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("outbox"),
]


@pytest.mark.control("emails")
def test_parallel_requests_exceed_a_budget_by_their_number_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert connection.vendor == "postgresql"
    budget = Budget(total=TOTAL, network=TOTAL)
    monkeypatch.setattr(
        invitations, "BUDGETS", dict.fromkeys(invitations.BUDGETS, budget)
    )
    start = Barrier(THREADS)

    def send(thread: int) -> int:
        start.wait(HANG_SECONDS)
        confirmed = 0
        for number in range(10):
            ip = f"192.0.2.{thread}"
            request = RequestFactory().post("/", REMOTE_ADDR=ip)
            request.user = AnonymousUser()
            email = f"{number}@{thread}.example.com"
            confirmed += send_invitation(request, email, TEMPLATE, "home")
        connections.close_all()
        return confirmed

    with ThreadPoolExecutor(THREADS) as pool:
        confirmed = sum(pool.map(send, range(THREADS)))
    assert Mail.objects.count() == confirmed
    assert TOTAL <= confirmed < TOTAL + THREADS
