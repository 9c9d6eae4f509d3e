import secrets
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from secure_django.encryption import EncryptedTextField
from secure_django.validators import validate_one_line, validate_recipient

__all__ = ["AbstractUser", "Device", "UserManager"]

NAME_HELP = _("As others see it.")
MOST_FAILURES = 5  # wrong passwords in a row, after which a device is unknown


class UserManager[U: "AbstractUser"](BaseUserManager[U]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> U:
        user = self.model(email=email, **fields)
        user.set_password(password)
        # What the sign-up asks for, the owner of this account can add on the profile.
        missing = [name for name in self.model.signup_fields if name not in fields]
        user.full_clean(exclude=missing)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> U:
        return self.create_user(
            email, password, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, email: str | None) -> U:
        return self.get(email=email and email.lower())


class AbstractUser(AbstractBaseUser, PermissionsMixin):
    """A user who logs in with an email. The model itself is the project's own."""

    in_clear = {
        "email": "the log-in finds it",
        "password": "it is a hash",
        "language": "it is a code of LANGUAGES",
    }

    # The fields that people fill in themselves. No form shows them any other.
    profile_fields: ClassVar[tuple[str, ...]] = ("name",)  # on their profile
    signup_fields: ClassVar[tuple[str, ...]] = ()  # in the sign-up and on their profile

    email = models.EmailField(
        _("email"),
        unique=True,
        error_messages={"unique": _("An account with this email already exists.")},
    )
    name = EncryptedTextField(
        _("name"),
        blank=True,
        default="",
        max_length=100,
        help_text=NAME_HELP,
        validators=[validate_one_line],
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_(
            "Clear this instead of deleting the account. It ends all sessions at once."
        ),
    )
    is_staff = models.BooleanField(
        _("staff"), default=False, help_text=_("Can log in to the admin.")
    )
    decision_emails = models.BooleanField(
        _("emails about decisions"),
        default=True,
        help_text=_("Tell this user by email what was decided about their photos."),
    )
    # Its choices are in forms: they are those of LANGUAGES, which needs no migration.
    language = models.CharField(
        _("language"),
        blank=True,
        default="",
        max_length=35,  # of a language tag with all its parts (RFC 5646, section 4.4.1)
        help_text=_("Of the pages after you log in, and of emails to you."),
    )
    date_joined = models.DateTimeField(
        _("date joined"), default=timezone.now, editable=False
    )

    objects: ClassVar[UserManager[Self]] = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        abstract = True
        verbose_name = _("user")
        verbose_name_plural = _("users")
        # The same email in another case must not become a second account.
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="%(app_label)s_email_is_lower_case",
            )
        ]

    def __str__(self) -> str:
        # Templates and choices of forms show this text to visitors: no email, and no
        # number that counts the accounts.
        return self.name or gettext("a user without a name")

    def get_full_name(self) -> str:
        """Return the name, which staff see beside the email."""
        return str(self.name)

    @property
    def is_deletable(self) -> bool:
        """Return False for staff and former staff.

        The log of their decisions would be deleted with the account.
        """
        if self.is_staff or self.is_superuser:
            return False
        return not LogEntry.objects.filter(user_id=self.pk).exists()

    def clean_fields(self, exclude: Any = None) -> None:
        super().clean_fields(exclude)
        if "email" in (exclude or ()):
            return
        # No validator of the field, which would be a migration in each project.
        try:
            validate_recipient(self.email)
        except ValidationError as error:
            raise ValidationError({"email": error}) from None

    def clean(self) -> None:
        self.email = self.email.lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.lower()
        super().save(*args, **kwargs)


class DeviceQuerySet(models.QuerySet["Device"]):
    def known(self) -> Self:
        """Return the devices that have not used up their attempts."""
        return self.filter(failures__lt=MOST_FAILURES)


class Device(models.Model):
    """A browser in which an account has logged in. Its signed cookie has the key."""

    in_clear = {"key": "it is worth nothing without the signature of the cookie"}

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=43, unique=True, default=secrets.token_urlsafe)
    failures = models.PositiveSmallIntegerField(
        default=0, help_text="Wrong passwords in a row, and attempts that still run."
    )
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        app_label = "secure_django_login"  # even in a project without this app
        verbose_name = _("device")
        verbose_name_plural = _("devices")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"

    def take_attempt(self) -> bool:
        """Count a password in advance, or return False if too many were wrong.

        In one statement, so that parallel attempts cannot exceed the number.
        """
        known = Device.objects.known().filter(pk=self.pk)
        return bool(known.update(failures=F("failures") + 1))

    def forget_failures(self) -> None:
        Device.objects.filter(pk=self.pk).update(failures=0)
