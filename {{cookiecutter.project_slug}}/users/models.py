from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.full_clean()
        user.save(using=self._db)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self.create_user(
            email, password, is_staff=True, is_superuser=True, **fields
        )

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email=email and email.lower())


class User(AbstractBaseUser, PermissionsMixin):
    in_clear = {"email": "the log-in finds it", "password": "it is a hash"}

    email = models.EmailField(
        _("email"),
        unique=True,
        error_messages={"unique": _("An account with this email already exists.")},
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
    date_joined = models.DateTimeField(
        _("date joined"), default=timezone.now, editable=False
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        # The same email in another case must not become a second account.
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="users_email_is_lower_case"
            )
        ]

    def __str__(self) -> str:
        # Templates and choices of forms show this text to visitors, so no email.
        return f"{self._meta.verbose_name} {self.pk}"

    @property
    def is_deletable(self) -> bool:
        """Return False for staff and former staff.

        The log of their decisions would be deleted with the account.
        """
        if self.is_staff or self.is_superuser:
            return False
        return not LogEntry.objects.filter(user=self).exists()

    def clean(self) -> None:
        self.email = self.email.lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.lower()
        super().save(*args, **kwargs)
