from decimal import Decimal

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from secure_django.photos.fields import PhotoField, everyone


class Auction(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"
        CANCELLED = "cancelled", "Cancelled"

    seller = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="auctions"
    )
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    photo = PhotoField("photo", blank=True, visible_to=everyone)
    start_price = models.DecimalField(max_digits=10, decimal_places=2)
    min_step = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal(1))
    reserve_price = models.DecimalField(
        "reserve price (bidders do not see it)",
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
    )
    pickup_address = models.TextField(blank=True, help_text="For the winner.")
    ends_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    winner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("auctions:detail", args=[self.pk])

    @property
    def highest_bid(self):
        return self.bids.order_by("-amount", "created_at").first()

    @property
    def current_price(self):
        bid = self.highest_bid
        return bid.amount if bid else self.start_price

    @property
    def next_amount(self):
        bid = self.highest_bid
        return bid.amount + self.min_step if bid else self.start_price

    @property
    def is_running(self):
        return self.status == self.Status.OPEN and self.ends_at > timezone.now()

    def is_participant(self, user):
        return user.pk in (self.seller_id, self.winner_id)


class Bid(models.Model):
    auction = models.ForeignKey(Auction, models.CASCADE, related_name="bids")
    bidder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="bids"
    )
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-amount"]


class Watch(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    auction = models.ForeignKey(Auction, models.CASCADE, related_name="watches")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        unique_together = [("user", "auction")]


class Message(models.Model):
    auction = models.ForeignKey(Auction, models.CASCADE, related_name="messages")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    text = models.TextField()
    attachment = models.FileField(upload_to="auctions/messages/", blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
