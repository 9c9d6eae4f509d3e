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

    def __str__(self) -> str:
        return self.note


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
