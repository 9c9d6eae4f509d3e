"""Does what Cloudinary does when a photo has news, for trying the webhook on one's own machine."""

import hashlib
import json
import time
from argparse import ArgumentParser
from http.client import HTTPConnection
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from uploads.models import Photo
from uploads.moderation.cloudinary.views import secrets


class Command(BaseCommand):
    help = "Posts a signed notification to the development server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("photo", nargs="?", help="id of a photo; the newest one when left out")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, photo: str | None, port: int, **options: Any) -> None:
        if not (known := secrets()):
            raise CommandError("Set CLOUDINARY_URL first: its secret signs the notification.")
        photo = photo or str(Photo.objects.values_list("pk", flat=True).first() or "sample")
        body = json.dumps({"notification_type": "moderation", "public_id": photo})
        timestamp = str(int(time.time()))
        signature = hashlib.sha256(f"{body}{timestamp}{known[0]}".encode()).hexdigest()
        connection = HTTPConnection("localhost", port, timeout=10)
        headers = {"X-Cld-Timestamp": timestamp, "X-Cld-Signature": signature, "Content-Type": "application/json"}
        connection.request("POST", reverse("cloudinary_webhook"), body, headers)
        self.stdout.write(f"{photo}: answered {connection.getresponse().status}")
