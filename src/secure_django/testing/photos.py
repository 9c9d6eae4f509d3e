from io import BytesIO

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from secure_django.photos.images import VARIANTS, NewPhoto, ReencodedImage
from secure_django.photos.models import Photo
from secure_django.photos.purposes import Purpose, register
from secure_django.photos.services import storing_photos
from secure_django.user import User

__all__ = ["create_photo"]

# Photos that belong to no other object.
PUBLIC = register(Purpose("test", "test"))
FOLDERS = [f"{number:02x}" for number in range(256)]  # of the files of photos
PIXELS = ReencodedImage(dict.fromkeys(VARIANTS, b"pixels"), 64, 48)


def create_photo(
    owner: User, purpose: Purpose = PUBLIC, image: ReencodedImage = PIXELS
) -> Photo:
    """Store a photo as a form does."""
    new = NewPhoto(SimpleUploadedFile("holiday.jpg", b""), purpose, image)
    with storing_photos(owner, "Teal", {"photo": new}) as photos:
        return photos["photo"]


def read_image(content: bytes) -> Image.Image:
    """Decode what the site has encoded."""
    return Image.open(BytesIO(content))  # noqa: TID251  # no user sent it
