from uuid import uuid4

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F
from django.tasks import TaskResultStatus
from django.utils.translation import gettext_lazy as _

from secure_django.due import DueRow
from secure_django.encryption import EncryptedTextField
from secure_django.sessions import (
    HASH_LENGTH,
    SessionKeyField,
    SessionStore,
    hash_key,
)


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


class Suppression(models.Model):
    """An email address to which nothing more is sent.

    The address itself is not stored. A row that was lifted stays for a while, so that
    a repeated report of the same bounce does not bring it back.
    """

    class Reason(models.TextChoices):
        """What the provider that sends emails has reported."""

        BOUNCE = "bounce", _("Emails come back")
        COMPLAINT = "complaint", _("Emails were reported as spam")

    email_hash = models.CharField(
        max_length=64, unique=True, editable=False, help_text="A keyed hash."
    )
    reason = models.CharField(_("reason"), max_length=9, choices=Reason)
    provider = models.CharField(_("provider"), max_length=20)
    at = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    unsent = models.PositiveIntegerField(_("emails not sent"), default=0)

    class Meta:
        verbose_name = _("blocked email address")
        verbose_name_plural = _("blocked email addresses")

    def __str__(self) -> str:
        return f"{self.get_reason_display()} {self.at:%F}"


class QueuedTask(DueRow):
    """A task of Django that waits for a worker, runs or has ended.

    Its row is due until it has ended: secure_django/jobs/tasks.py.
    """

    owner_path = None  # `turn` is the round robin, as the rows need no other order

    due_at = models.DateTimeField(null=True)  # the indexes below begin elsewhere
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(
        _("task"), max_length=255, help_text="The path of its function."
    )
    backend = models.CharField(max_length=64)
    queue = models.CharField(_("queue"), max_length=64)
    priority = models.SmallIntegerField(_("priority"))
    owner = models.CharField(
        _("account"), max_length=255, blank=True, help_text="Its id, if there is one."
    )
    turn = models.PositiveBigIntegerField()  # secure_django/jobs/tasks.py: find_turn
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=TaskResultStatus,
        default=TaskResultStatus.READY,
    )
    enqueued_at = models.DateTimeField(_("since"))
    run_after = models.DateTimeField(_("not before"), null=True)
    started_at = models.DateTimeField(null=True)
    last_attempted_at = models.DateTimeField(_("last try"), null=True)
    finished_at = models.DateTimeField(_("ended"), null=True, db_index=True)
    unknown_since = models.DateTimeField(null=True)  # to the code of the workers
    earlier_attempts = models.PositiveIntegerField(default=0)  # before it was repeated
    reason = models.CharField(
        _("reason"),
        max_length=255,
        blank=True,
        help_text="Of its last failure, without the text of an error.",
    )
    workers = models.JSONField(default=list)
    arguments = EncryptedTextField(help_text="As JSON: args and kwargs.")
    result = EncryptedTextField(null=True, help_text="As JSON.")
    errors = EncryptedTextField(null=True, help_text="As JSON: Django's TaskError.")

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = (
            models.Index(
                F("backend"),
                F("queue"),
                F("priority").desc(),
                F("turn"),
                F("due_at"),
                condition=models.Q(due_at__isnull=False),
                name="secure_django_task_next",
            ),
            models.Index(
                fields=["backend", "queue", "owner", "turn"],
                condition=models.Q(due_at__isnull=False),
                name="secure_django_task_turn",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"

    @property
    def tries(self) -> int:
        """Return how often it was claimed since staff have repeated it."""
        return self.attempts - self.earlier_attempts


class LastRun(models.Model):
    """The time of the last success of what runs regularly, such as a worker.

    For a job that has not ended, it is the time of its start.
    """

    name = models.CharField(max_length=255, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at}"


class Session(AbstractBaseSession):
    """A session: secure_django/sessions.py."""

    session_key = SessionKeyField(max_length=HASH_LENGTH, primary_key=True)
    session_data = EncryptedTextField()

    def __str__(self) -> str:
        return str(hash_key(self.session_key))

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore
