import hashlib
import json
import time
from argparse import ArgumentParser
from http.client import HTTPConnection
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from uploads.models import Photo
from uploads.moderation.cloudinary.views import api_secrets


class Command(BaseCommand):
    help = "Post the signed notification that Cloudinary would send to the development server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("photo", nargs="?", help="ID of a photo (default: the newest photo)")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, photo: str | None, port: int, **options: Any) -> None:
        if not (secrets := api_secrets()):
            raise CommandError("Set CLOUDINARY_URL first: its secret signs the notification.")
        photo = photo or str(Photo.objects.values_list("pk", flat=True).first() or "sample")
        body = json.dumps({"notification_type": "moderation", "public_id": photo})
        timestamp = str(int(time.time()))
        signature = hashlib.sha256(f"{body}{timestamp}{secrets[0]}".encode()).hexdigest()
        headers = {"X-Cld-Timestamp": timestamp, "X-Cld-Signature": signature, "Content-Type": "application/json"}
        connection = HTTPConnection("localhost", port, timeout=10)
        connection.request("POST", reverse("cloudinary_webhook"), body, headers)
        self.stdout.write(f"{photo}: HTTP status {connection.getresponse().status}")
