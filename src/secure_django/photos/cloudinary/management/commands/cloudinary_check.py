import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.management import BaseCommand, CommandError
from PIL import Image

from secure_django.photos.cloudinary import client
from secure_django.photos.cloudinary.client import CloudinaryError
from secure_django.photos.cloudinary.views import notification_key

POLL_SECONDS = 5  # each query counts towards the plan's calls per hour
UNDECIDED = {"", "pending", "queued"}
SIDE = 64  # pixels; Amazon Rekognition takes no image below 50
# Advice in place of that about a photo: the worker repeats its calls, and this command
# makes each of its calls once.
ADVICE = {
    client.UNREACHABLE: (
        "Cloudinary cannot be reached or has an internal error."
        " Run this command again later."
    ),
    client.UNREADABLE: (
        "Cloudinary's answer cannot be read. Run this command again later."
    ),
    client.RATE_LIMITED: (
        "Cloudinary's rate limit is reached. Run this command again in an hour."
    ),
}


class Command(BaseCommand):
    """Try each kind of moderation with an image of its own.

    The images are deleted at the end, and the site stores nothing.
    """

    help = "Check the key, the plan, the add-ons and the webhook of Cloudinary."
    requires_migrations_checks = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seconds", type=int, default=180, help="how long to wait")

    def handle(self, *, seconds: int, **options: Any) -> None:
        if not settings.CLOUDINARY:
            raise CommandError("CLOUDINARY_URL is not set: README.md says where it is.")
        self.end = time.monotonic() + seconds
        self.is_fine = True
        # Without "manual", which a person decides.
        kinds = [kind for kind in settings.CLOUDINARY_MODERATION if kind != "manual"]
        images = {kind: f"check-{uuid.uuid4().hex}" for kind in kinds}
        try:
            self.try_kinds(images)
        finally:
            for public_id in images.values():
                with suppress(CloudinaryError):
                    client.destroy(public_id)
        if not self.is_fine:
            raise CommandError("Moderation by Cloudinary does not work yet.")

    def try_kinds(self, images: dict[str, str]) -> None:
        try:
            client.list_assets(list(images.values()))
        except CloudinaryError as error:
            self.report_error("key", error)
            return
        self.report("key", "Cloudinary accepts it")
        uploaded = {
            kind: public_id
            for kind, public_id in images.items()
            if self.upload(kind, public_id)
        }
        for kind, public_id in uploaded.items():
            self.wait_for_verdict(kind, public_id)
        if uploaded:
            self.wait_for_notification(list(uploaded.values()))

    def upload(self, kind: str, public_id: str) -> bool:
        image = BytesIO()
        Image.new("RGB", (SIDE, SIDE), "white").save(image, "JPEG")
        image.seek(0)
        try:
            client.upload(public_id, image, kind)
        except CloudinaryError as error:
            self.report_error(f"add-on {kind}", error)
            return False
        return True

    def wait_for_verdict(self, kind: str, public_id: str) -> None:
        name = f"add-on {kind}"
        try:
            status = self.wait_for(lambda: find_verdict(public_id))
        except CloudinaryError as error:
            self.report_error(name, error)
            return
        if not status:
            advice = "no verdict yet. Try again, with more --seconds."
            self.report(name, advice, is_fine=False)
        elif status == "aborted":
            advice = "Cloudinary gave up. Its console says why, under Media Library."
            self.report(name, advice, is_fine=False)
        else:
            self.report(name, f"answers {status}")

    def wait_for_notification(self, public_ids: list[str]) -> None:
        if settings.DEBUG:
            self.report("webhook", "not checked with DEBUG: no service reaches it")
            return
        keys = [notification_key(public_id) for public_id in public_ids]
        if self.wait_for(lambda: any(cache.get_many(keys))):
            self.report("webhook", "a notification arrived")
            return
        advice = (
            f"no notification arrived at {client.notification_url()}. Is it the site's"
            " URL on the internet, and does the site run with these settings? If the"
            " log has authn_webhook_fail, the key's secret is another one."
        )
        self.report("webhook", advice, is_fine=False)

    def wait_for(self, query: Callable[[], Any]) -> Any:
        """Repeat a query until it has a result, and return that, or an empty value."""
        result = query()
        while not result and time.monotonic() < self.end:
            time.sleep(POLL_SECONDS)
            result = query()
        return result

    def report_error(self, name: str, error: CloudinaryError) -> None:
        if error.advice == client.RATE_LIMITED:
            name = "plan"
        advice = ADVICE.get(error.advice, error.advice)
        self.report(name, advice, is_fine=False)

    def report(self, name: str, text: str, *, is_fine: bool = True) -> None:
        self.is_fine &= is_fine
        self.stdout.write(f"{'ok  ' if is_fine else 'BAD '} {name}: {text}")


def find_verdict(public_id: str) -> str:
    """Return the status of the only kind, or nothing if there is none yet."""
    answer = client.find_asset(public_id, {})
    if not answer or not answer.moderation:
        return ""
    status = str(answer.moderation[0].get("status", ""))
    return "" if status in UNDECIDED else status
