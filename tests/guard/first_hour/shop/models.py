from uuid import uuid4

from django.conf import settings
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=80, unique=True)


class Book(Item):
    isbn = models.CharField(max_length=13, unique=True)


class Order(models.Model):
    number = models.UUIDField(default=uuid4, unique=True)
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    packer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="packed"
    )
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    message = models.CharField(max_length=80)
    size = models.IntegerField()

    def save(self, *args: object, **options: object) -> None:
        if self.size % 12:
            msg = "Orders are by the dozen."
            raise ValueError(msg)
        super().save(*args, **options)
