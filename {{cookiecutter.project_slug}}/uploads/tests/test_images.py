"""Upload validation."""

import struct
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from PIL import ExifTags, Image, ImageChops
from pytest_django import Settings

from core.testing import MakeImage
from uploads.images import VARIANTS, ReencodedImage, validate_and_reencode


def reencode(content: bytes, name: str = "a.jpg") -> ReencodedImage:
    return validate_and_reencode(BytesIO(content), name, len(content))


def code_of(content: bytes, name: str = "a.jpg") -> str:
    with pytest.raises(ValidationError) as error:
        reencode(content, name)
    return str(error.value.code)


def with_declared_size(content: bytes, width: int, height: int) -> bytes:
    """Return a small PNG whose header declares width × height pixels."""
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]


@pytest.mark.control("V5.2.2")
@pytest.mark.parametrize(
    ("format", "name"), [("JPEG", "a.jpg"), ("JPEG", "A.JPEG"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("MPO", "a.jpg")]
)
def test_accepted_photo_is_reencoded_as_jpeg(make_image: MakeImage, format: str, name: str) -> None:
    photo = reencode(make_image(format, size=(3000, 1500)), name)
    assert (photo.width, photo.height) == (2000, 1000)
    for variant, edge in VARIANTS.items():
        image = Image.open(BytesIO(photo.files[variant]))
        assert (image.format, image.size) == ("JPEG", (edge, edge // 2))


@pytest.mark.control("V5.2.2")
def test_metadata_and_trailing_bytes_are_removed(make_image: MakeImage) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "marker"
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (48.0, 8.0, 1.0)}
    content = make_image(exif=exif, comment=b"<?php marker ?>", icc_profile=b"marker" * 30) + b"PK\x03\x04 marker"
    for out in reencode(content).files.values():
        assert b"marker" not in out
        assert not Image.open(BytesIO(out)).getexif()
        assert set(Image.open(BytesIO(out)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_photo_is_rotated_and_transparency_becomes_white(make_image: MakeImage) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert (reencode(make_image(exif=exif)).width, reencode(make_image(exif=exif)).height) == (48, 64)
    clear = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    out = Image.open(BytesIO(reencode(clear.getvalue(), "a.png").files["display"]))
    assert out.getpixel((4, 4)) == (255, 255, 255)
    # A quality of 60 is off by up to 7 levels.
    gradient = Image.linear_gradient("L").convert("RGB")
    gradient.save(lossless := BytesIO(), "PNG")
    out = Image.open(BytesIO(reencode(lossless.getvalue(), "a.png").files["display"]))
    assert max(ImageChops.difference(out, gradient).tobytes()) <= 4


@pytest.mark.control("V5.2.2")
def test_other_formats_and_extensions_are_refused(make_image: MakeImage) -> None:
    assert code_of(make_image("GIF")) == "unsupported_type"
    assert code_of(make_image("TIFF")) == "unsupported_type"
    assert code_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "unsupported_type"
    assert code_of(make_image("PNG"), "a.jpg") == "wrong_extension"
    assert code_of(make_image(), "a.jpg.php") == "wrong_extension"
    assert code_of(make_image(), "a") == "wrong_extension"


@pytest.mark.control("V5.2.2")
def test_damaged_files_and_animations_are_refused(make_image: MakeImage) -> None:
    assert code_of(b"") == "empty"
    whole = make_image(size=(640, 480))
    assert code_of(whole[: len(whole) // 2]) == "damaged"
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}
    for format in ("PNG", "WEBP"):
        assert code_of(make_image(format, **frames), f"a.{format}") == "animated"


@pytest.mark.control("V5.2.6")
def test_decompression_bomb_is_refused_before_decoding(make_image: MakeImage, settings: Settings) -> None:
    assert code_of(with_declared_size(make_image("PNG"), 60_000, 60_000), "a.png") == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 64 * 48 - 1
    assert code_of(make_image("PNG"), "a.png") == "too_many_pixels"


@pytest.mark.control("V5.2.6")
def test_endless_scans_and_segments_are_refused(make_image: MakeImage) -> None:
    content = make_image(progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    comment = b"\xff\xfe\x00\x04\xff\xd9"  # contains what looks like the end of the image
    reencode(content[:-2] + comment + last * 20 + content[-2:])
    assert code_of(content[:-2] + comment + last * 60 + content[-2:]) == "damaged"
    # After a marker without a length, libjpeg reads on. Skipping a length there would miss the scans.
    assert code_of(content[:-2] + b"\xff\x02\xff\xff" + last * 60 + content[-2:]) == "damaged"
    tables = b"\xff\xd8\xff\xd9"  # an end marker before the first scan, which a decoder ignores
    assert code_of(tables + content[:-2] + last * 60 + content[-2:]) == "damaged"
    for part in (b"\xff\xfe\x00\x02", b"\xff\x00"):
        assert code_of(content[:2] + part * 10_001 + content[2:]) == "damaged"
    png = make_image("PNG")
    assert code_of(png[:33] + b"\0\0\0\0noTe\0\0\0\0" * 201 + png[33:], "a.png") == "damaged"


@pytest.mark.control("V5.2.1")
def test_size_limit_is_exact(make_image: MakeImage, settings: Settings) -> None:
    content = make_image()
    settings.UPLOAD_MAX_BYTES = len(content)
    reencode(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code_of(content) == "too_large"
