"""The lines `photos` and `memory` of `manage.py status`."""

from datetime import timedelta
from uuid import uuid4

from django.conf import settings

from secure_django.models import LastRun
from secure_django.photos.images import LACK_OF_MEMORY, VARIANTS
from secure_django.photos.models import Photo
from secure_django.status import LINES, Finding, describe_moment, is_recent

NEWEST = 1000
NEIGHBORS = 200  # photos on each side of a random id
ADVICE = (
    "Restore its files from a backup."
    " docs/operations.md says how."
    " If no backup has them, delete the photo: its owner can upload it again."
)
DAY = timedelta(days=1)
MEMORY_ADVICE = (
    "Each web process needs 1.5 GB with its decoder: give the site's container, unit or"
    " machine more, or set WEB_CONCURRENCY=1."
)


def check_files() -> Finding:
    """Find photos whose files are missing or not whole, as after a power failure."""
    if settings.BUCKET_URL:
        # A bucket confirms a file once it is stored for good, and each question would
        # be a request over the network.
        return Finding(True, "are in a bucket, and not checked")
    photos = Photo.objects.filter(has_files=True)
    start = uuid4()
    newest = photos.order_by("-created_at", "-pk")[:NEWEST]
    neighbors_after = photos.filter(pk__gte=start).order_by("pk")[:NEIGHBORS]
    neighbors_before = photos.filter(pk__lt=start).order_by("-pk")[:NEIGHBORS]
    checked = {*newest, *neighbors_after, *neighbors_before}
    damaged = [
        photo.pk
        for photo in checked
        # Without photos that were deleted in the meantime.
        if not is_whole(photo) and photos.filter(pk=photo.pk).exists()
    ]
    if not damaged:
        return Finding(True, f"the files of {len(checked)} are whole")
    text = (
        f"of {len(checked)} that were checked, the files of {len(damaged)} are missing"
        f" or not whole, such as those of {damaged[0]}"
    )
    return Finding(False, text, ADVICE)


def is_whole(photo: Photo) -> bool:
    try:
        for variant in VARIANTS:
            photo.open_file(variant).close()
    except FileNotFoundError:
        return False
    return True


def check_memory() -> Finding:
    """Find a decoder of the last day that the kernel killed."""
    last = LastRun.objects.filter(name=LACK_OF_MEMORY).first()
    if last is None or not is_recent(last.at, DAY):
        return Finding(True, "no decoder of the last day was killed for lack of it")
    text = f"a decoder was killed for lack of memory at {describe_moment(last.at)}"
    return Finding(False, text, MEMORY_ADVICE)


LINES["photos"] = check_files
LINES["memory"] = check_memory
