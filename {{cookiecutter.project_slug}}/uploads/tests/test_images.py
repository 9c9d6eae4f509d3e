"""The gate."""

import struct
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from PIL import ExifTags, Image
from pytest_django import Settings

from conftest import Picture
from uploads.images import JPEG_QUALITY, VARIANTS, Rebuilt, sanitize


def gate(content: bytes, name: str = "a.jpg") -> Rebuilt:
    return sanitize(BytesIO(content), name, len(content))


def code_of(content: bytes, name: str = "a.jpg") -> str:
    with pytest.raises(ValidationError) as refusal:
        gate(content, name)
    return str(refusal.value.code)


def announcing(content: bytes, width: int, height: int) -> bytes:
    """Returns a small PNG whose header announces width x height pixels."""
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.control("V5.2.2")
@pytest.mark.parametrize(
    ("format", "name"), [("JPEG", "a.jpg"), ("JPEG", "A.JPEG"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("MPO", "a.jpg")]
)
def test_photo_comes_out_as_a_jpeg_of_our_own(picture: Picture, format: str, name: str) -> None:
    rebuilt = gate(picture(format, size=(3000, 1500)), name)
    assert (rebuilt.width, rebuilt.height) == (2000, 1000)
    for variant, edge in VARIANTS.items():
        image = Image.open(BytesIO(rebuilt.files[variant]))
        assert (image.format, image.size) == ("JPEG", (edge, edge // 2))


@pytest.mark.control("V5.2.2")
def test_nothing_but_pixels_comes_through(picture: Picture) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "marker"
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (48.0, 8.0, 1.0)}
    content = picture(exif=exif, comment=b"<?php marker ?>", icc_profile=b"marker" * 30) + b"PK\x03\x04 marker"
    for out in gate(content).files.values():
        assert b"marker" not in out
        assert not Image.open(BytesIO(out)).getexif()
        assert set(Image.open(BytesIO(out)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_photo_comes_out_upright_and_transparency_white(picture: Picture) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert (gate(picture(exif=exif)).width, gate(picture(exif=exif)).height) == (48, 64)
    clear = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    out = Image.open(BytesIO(gate(clear.getvalue(), "a.png").files["display"]))
    assert out.getpixel((4, 4)) == (255, 255, 255)
    assert JPEG_QUALITY >= 80


@pytest.mark.control("V5.2.2")
def test_other_content_and_other_endings_are_refused(picture: Picture) -> None:
    assert code_of(picture("GIF")) == "unsupported_type"
    assert code_of(picture("TIFF")) == "unsupported_type"
    assert code_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "unsupported_type"
    assert code_of(picture("PNG"), "a.jpg") == "wrong_extension"
    assert code_of(picture(), "a.jpg.php") == "wrong_extension"
    assert code_of(picture(), "a") == "wrong_extension"


@pytest.mark.control("V5.2.2")
def test_damaged_and_moving_pictures_are_refused(picture: Picture) -> None:
    assert code_of(b"") == "empty"
    whole = picture(size=(640, 480))
    assert code_of(whole[: len(whole) // 2]) == "damaged"
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}
    for format in ("PNG", "WEBP"):
        assert code_of(picture(format, **frames), f"a.{format}") == "animated"


@pytest.mark.control("V5.2.6")
def test_pixel_bomb_is_refused_before_it_is_decoded(picture: Picture, settings: Settings) -> None:
    assert code_of(announcing(picture("PNG"), 60_000, 60_000), "a.png") == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 64 * 48 - 1
    assert code_of(picture("PNG"), "a.png") == "too_many_pixels"


@pytest.mark.control("V5.2.6")
def test_picture_of_endless_passes_or_parts_is_refused_before_it_is_decoded(picture: Picture) -> None:
    content = picture(progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    comment = b"\xff\xfe\x00\x04\xff\xd9"  # holds what looks like the end of the picture
    gate(content[:-2] + comment + last * 20 + content[-2:])
    assert code_of(content[:-2] + comment + last * 60 + content[-2:]) == "damaged"
    # Behind a marker that stands alone, libjpeg reads on; whoever skips a length there overlooks the passes.
    assert code_of(content[:-2] + b"\xff\x02\xff\xff" + last * 60 + content[-2:]) == "damaged"
    tables = b"\xff\xd8\xff\xd9"  # an end before any pass, which ends nothing
    assert code_of(tables + content[:-2] + last * 60 + content[-2:]) == "damaged"
    for part in (b"\xff\xfe\x00\x02", b"\xff\x00"):
        assert code_of(content[:2] + part * 10_001 + content[2:]) == "damaged"
    png = picture("PNG")
    assert code_of(png[:33] + b"\0\0\0\0noTe\0\0\0\0" * 201 + png[33:], "a.png") == "damaged"


@pytest.mark.control("V5.2.1")
def test_limit_of_bytes_is_exact(picture: Picture, settings: Settings) -> None:
    content = picture()
    settings.UPLOAD_MAX_BYTES = len(content)
    gate(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code_of(content) == "too_large"
