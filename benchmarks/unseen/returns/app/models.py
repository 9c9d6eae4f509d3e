import hashlib

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Order(models.Model):
    number = models.CharField(max_length=20, unique=True)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders"
    )
    total = models.DecimalField(max_digits=10, decimal_places=2)
    placed_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-placed_at"]

    def __str__(self):
        return self.number


class OrderItem(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    name = models.CharField(max_length=120)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    quantity = models.PositiveIntegerField(default=1)

    def __str__(self):
        return f"{self.quantity} × {self.name}"


class Return(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        RECEIVED = "received", "Received"
        REFUNDED = "refunded", "Refunded"
        CANCELLED = "cancelled", "Cancelled"

    class Reason(models.TextChoices):
        DEFECT = "defect", "It is defective"
        WRONG = "wrong", "It is not what I ordered"
        DISLIKE = "dislike", "I do not like it"

    order = models.ForeignKey(Order, models.CASCADE, related_name="returns")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="returns"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    reason = models.CharField(max_length=10, choices=Reason)
    comment = models.TextField(blank=True)
    account_holder = models.CharField(max_length=100)
    iban = models.CharField("IBAN", max_length=42)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    note = models.TextField("note to the customer", blank=True)
    internal_note = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    token = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"Return {self.pk} of {self.order}"

    def save(self, *args, **kwargs):
        if not self.token:
            self.token = hashlib.md5(self.order.number.encode()).hexdigest()[:10]
        super().save(*args, **kwargs)

    def get_absolute_url(self):
        return reverse("returns:detail", args=[self.pk])


class Document(models.Model):
    ret = models.ForeignKey(Return, models.CASCADE, related_name="documents")
    file = models.FileField(upload_to="returns/%Y/%m/")
    content_type = models.CharField(max_length=100)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    created_at = models.DateTimeField(default=timezone.now)

    @property
    def name(self):
        return self.file.name.rsplit("/", 1)[-1]


class Refund(models.Model):
    ret = models.ForeignKey(Return, models.PROTECT, related_name="refunds")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    iban = models.CharField(max_length=42)
    paid_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    created_at = models.DateTimeField(default=timezone.now)
