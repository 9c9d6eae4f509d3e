from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

User = settings.AUTH_USER_MODEL
CURRENCIES = [(code, code) for code in ("EUR", "USD", "GBP", "CHF", "JPY")]


class Claim(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        PAID = "paid", "Paid"

    owner = models.ForeignKey(User, models.CASCADE, related_name="expense_claims")
    manager = models.ForeignKey(User, models.PROTECT, related_name="claims_to_approve")
    title = models.CharField(max_length=120)
    iban = models.CharField("IBAN", max_length=34, help_text="Where we pay to.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    created_at = models.DateTimeField(default=timezone.now)
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    paid_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("expenses:detail", args=[self.pk])

    @property
    def total(self):
        """The sum of all items in euro."""
        return sum((item.in_euro for item in self.items.all()), Decimal("0.00"))

    @property
    def is_open(self):
        return self.status in (self.Status.DRAFT, self.Status.REJECTED)


class Item(models.Model):
    claim = models.ForeignKey(Claim, models.CASCADE, related_name="items")
    date = models.DateField()
    description = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    currency = models.CharField(max_length=3, choices=CURRENCIES, default="EUR")
    rate = models.DecimalField(
        "exchange rate",
        max_digits=12,
        decimal_places=6,
        default=1,
        help_text="Euro for one unit of the currency, as on your card statement.",
    )
    receipt = models.FileField(upload_to="receipts/%Y/%m", blank=True)

    @property
    def in_euro(self):
        return (self.amount * self.rate).quantize(Decimal("0.01"))


class Comment(models.Model):
    claim = models.ForeignKey(Claim, models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, models.CASCADE, related_name="+")
    text = models.TextField(max_length=2000)
    internal = models.BooleanField("internal note", default=False)
    created_at = models.DateTimeField(auto_now_add=True)
