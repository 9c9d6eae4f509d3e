"""An email goes through the outbox, and a job runs."""

from django.core import mail
from django.core.mail import send_mail

from secure_django.mail import find_recipient
from secure_django.mail.outbox import UnknownRecipientError
from tests.adoption.jobs import RUNS
from tests.adoption.rooms import RoomCommand


class Command(RoomCommand):
    """Send an email by the worker, which runs a job of this app too."""

    def use_room(self) -> None:
        """Fail if the room does not work."""
        reader = self.users.create_user("reader", "Reader@example.com")
        assert find_recipient("reader@Example.com") == reader
        self.users.create_user("second", "Twin@example.com")
        self.users.create_user("third", "twin@example.com")
        assert find_recipient("twin@example.com") is None
        send_mail("News", "Text", None, ["Reader@example.com"])
        assert mail.outbox == []
        assert self.run_worker() == ["Reader@example.com"]
        assert RUNS
        try:
            send_mail("News", "Text", None, ["stranger@example.com"])
        except UnknownRecipientError:
            return
        raise AssertionError
