from secure_django.login.models import AbstractUser


class User(AbstractUser):
    """A user of this site. Add your fields here."""
