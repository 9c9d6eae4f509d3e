from django.db import models

from secure_django.due import DueRow
from secure_django.encryption import EncryptedTextField


class Mail(DueRow):
    """An email that waits for the worker.

    The row is deleted once the email is sent, has expired or is discarded.
    """

    class Kind(models.IntegerChoices):
        """The order in which emails are sent.

        Anyone can cause emails of the last four kinds, to any recipient.
        """

        AWAITED = 0  # to a user who cannot go on without it: a link to log in
        NORMAL = 1  # to users, notices among them
        UNVERIFIED = 2  # to recipients whose email is not verified yet
        UNKNOWN = 3  # to recipients without an account
        # To an address that a user has typed: secure_django/mail/invitations.py
        INVITATION = 4
        VISITOR_INVITATION = 5  # by a visitor who is not logged in

    owner_path = None  # emails are sent by `kind`, and each sender has limits

    kind = models.PositiveSmallIntegerField(choices=Kind)
    created_at = models.DateTimeField(auto_now_add=True)
    content = EncryptedTextField(
        help_text="As JSON: the sender, the recipients and the MIME message."
    )
    expires_at = models.DateTimeField()
    # Of an invitation: a flood from one network must leave room for others.
    network_hash = models.CharField(
        max_length=64,
        default="",
        db_default="",  # for the release before, which does not know the column
        help_text="A keyed hash of the sender's network.",
    )

    class Meta:
        indexes = (
            models.Index(fields=["kind", "due_at"], name="secure_django_mail_due"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class LastRun(models.Model):
    """The time of the last success of what runs regularly, such as a worker.

    For a job that has not ended, it is the time of its start.
    """

    name = models.CharField(max_length=255, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at}"
