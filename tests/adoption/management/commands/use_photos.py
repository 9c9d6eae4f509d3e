"""A photo goes from its upload to its deletion."""

from datetime import timedelta
from io import BytesIO

from django.test import Client
from django.utils import timezone
from PIL import Image

from secure_django.photos.images import validate_and_reencode
from secure_django.photos.models import Photo
from secure_django.photos.services import review_photo
from secure_django.testing.photos import create_photo
from tests.adoption.rooms import RoomCommand


def visit(url: str) -> int:
    """Return the status of a page for a visitor."""
    response = Client().get(url)
    response.close()
    return response.status_code


class Command(RoomCommand):
    """Upload a photo, review it, tell its owner, and delete the owner."""

    def use_room(self) -> None:
        """Fail if the room does not work."""
        owner = self.users.create_user("owner", "Owner@example.com")
        reviewer = self.users.create_superuser("reviewer")
        file = BytesIO()
        Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
        image = validate_and_reencode(file.getvalue())
        photo = create_photo(owner, image=image)
        url = f"/photos/{photo.pk}/display/"
        assert visit(url) == 404

        staff = Client()
        staff.force_login(reviewer)
        assert "owner" in staff.get("/admin/secure_django_photos/photo/").text
        assert review_photo(photo, reviewer, "approved")
        assert visit(url) == 200

        Photo.objects.update(notify_at=timezone.now() - timedelta(hours=1))
        assert self.run_worker() == ["Owner@example.com"]
        owner.delete()
        assert visit(url) == 404
