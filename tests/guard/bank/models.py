import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone


def new_token() -> str:
    return secrets.token_urlsafe(32)


class Order(models.Model):
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    note = models.CharField(max_length=80)
    quantity = models.IntegerField(default=1)
    due_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.note


class Seat(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    number = models.CharField(max_length=9)
    is_taken = models.BooleanField(default=False, editable=False)

    def __str__(self) -> str:
        return self.number


class Ticket(models.Model):
    seat = models.ForeignKey(Seat, on_delete=models.CASCADE)
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    class Meta:
        constraints = (models.UniqueConstraint("seat", name="one_ticket"),)

    def __str__(self) -> str:
        return f"ticket {self.pk}"


class Bid(models.Model):
    seat = models.ForeignKey(Seat, on_delete=models.CASCADE)
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

    def __str__(self) -> str:
        return f"bid {self.pk}"


class Feed(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    api_token = models.CharField(max_length=80, default=new_token, editable=False)

    def __str__(self) -> str:
        return f"feed {self.pk}"


class ShortFeed(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    api_token = models.CharField(max_length=80, default=new_token, editable=False)
    expires_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"feed {self.pk}"


class Paper(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    file = models.FileField(upload_to="papers")

    def __str__(self) -> str:
        return self.file.name


class Voucher(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    token = models.CharField(max_length=80, default=new_token, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    uses = models.IntegerField(default=0, editable=False)

    def __str__(self) -> str:
        return self.token

    def use(self) -> None:
        self.used_at = timezone.now()
        self.uses += 1
        self.save()
