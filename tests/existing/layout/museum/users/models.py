from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A user with one name, as people write it."""

    name = models.CharField("name of user", blank=True, max_length=255)
    first_name = None
    last_name = None
