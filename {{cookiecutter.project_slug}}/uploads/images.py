"""Upload validation: an untrusted file is validated, decoded and encoded again as JPEG."""

import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from threading import Lock
from typing import IO

from django.conf import settings
from django.core.exceptions import ValidationError
from PIL import Image, ImageOps

# The accepted formats of Pillow, each with its file extensions.
# Many phones write MPO as .jpg: a JPEG followed by further images, which are not read.
EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "WEBP": {".webp"},
}
# The longest edge of each variant, in pixels.
VARIANTS = {"display": 2000, "thumbnail": 480}
JPEG_QUALITY = 85
# The markers whose segment libjpeg skips by its length. After any other marker it goes on byte by byte.
JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
# Progressive JPEGs of common programs have about ten scans.
MAX_JPEG_SCANS = 64
# Common programs write up to some hundred segments of metadata into a JPEG, and one chunk for each 8 KiB into a PNG.
MAX_SEGMENTS = 10_000

# Pillow warns about each malformed tag, so that one file could write thousands of lines to the log.
warnings.filterwarnings("ignore", module="PIL")
# An image at the pixel limit takes up to 700 MB while it is decoded: one at a time in each process.
decoding = Lock()

ERROR_MESSAGES = {
    "missing": "Choose a photo.",
    "empty": "This file is empty. Choose another one.",
    "too_large": "This file is too large. The limit is {megabytes:g} MB. Save a smaller copy and try again.",
    "unsupported_type": "Only JPEG, PNG and WebP photos are accepted. Save the photo in one of these formats.",
    "wrong_extension": "The file name does not match its content, which is {format}. Change the file extension.",
    "animated": "Animations are not accepted. Save a single frame and try again.",
    "too_many_pixels": "This photo has too many pixels. The limit is {megapixels:g} megapixels. Make it smaller first.",
    "quota": "You have reached the limit of {photos} photos in one hour. Try again later.",
    "damaged": "This file is damaged and cannot be read. Save the photo again and retry.",
}


@dataclass(frozen=True)
class ReencodedImage:
    """JPEG bytes by variant, and the width and height of the `display` variant in pixels."""

    files: dict[str, bytes]
    width: int
    height: int


def upload_error(code: str, **values: object) -> ValidationError:
    """Return the error for a code of ERROR_MESSAGES."""
    message = ERROR_MESSAGES[code].format(
        megabytes=round(settings.UPLOAD_MAX_BYTES / 1024**2, 1),
        megapixels=round(settings.UPLOAD_MAX_PIXELS / 1_000_000, 1),
        **values,
    )
    return ValidationError(message, code=code)


def validate_and_reencode(file: IO[bytes], name: str, size: int) -> ReencodedImage:
    """Return a new image with the pixels of `file`, which has `size` bytes.

    Raise ValidationError with a code of ERROR_MESSAGES if the file is not acceptable.
    """
    if not size:
        raise upload_error("empty")
    if size > settings.UPLOAD_MAX_BYTES:
        raise upload_error("too_large")
    check_segments(file)
    try:
        # Only these parsers: Pillow has forty more, each with vulnerabilities of its own.
        image = Image.open(file, formats=("JPEG", "PNG", "WEBP"))
    except Image.DecompressionBombError:
        raise upload_error("too_many_pixels") from None
    except Exception:  # a parser can raise anything at an untrusted file
        raise upload_error("unsupported_type") from None
    with image:
        check_extension(image, name)
        check_pixels(image)
        check_frames(image)
        with decoding:
            return reencode(image)


def check_segments(file: IO[bytes]) -> None:
    """Refuse JPEGs with thousands of scans, which take hours to decode, and files with millions of empty segments."""
    file.seek(0)
    start, segments, scans = file.read(8), 0, 0
    if start == b"\x89PNG\r\n\x1a\n":
        while len(chunk := file.read(8)) == 8 and segments <= MAX_SEGMENTS:
            file.seek(int.from_bytes(chunk[:4]) + 4, os.SEEK_CUR)
            # Chunks of metadata weigh more: each can decompress to a megabyte.
            segments += 1 if chunk[4:] == b"IDAT" else 50
    elif start.startswith(b"\xff\xd8"):
        file.seek(2)
        segments, scans = count_jpeg_segments(file.read())
    if segments > MAX_SEGMENTS or scans > MAX_JPEG_SCANS:
        raise upload_error("damaged")


def count_jpeg_segments(data: bytes) -> tuple[int, int]:
    """Return the numbers of segments and scans in a JPEG without its first two bytes, as a decoder counts them."""
    segments = scans = position = 0
    while segments <= MAX_SEGMENTS:
        marker = JPEG_MARKER.search(data, position)
        if not scans:
            # Before the first scan, Pillow reads all bytes between segments one by one.
            segments += (marker.start() if marker else len(data)) - position
        if not marker or (marker[1] == b"\xd9" and scans):
            break
        # A decoder does not stop at an end marker before the first scan.
        length = 0 if marker[1] == b"\xd9" else int.from_bytes(data[marker.end() : marker.end() + 2])
        position = marker.end() + length
        scans += marker[1] == b"\xda"
        segments += 1
    return segments, scans


def check_extension(image: Image.Image, name: str) -> None:
    """Refuse a file that other programs, by its name, would take for something else than an image."""
    if PurePath(name).suffix.lower() not in EXTENSIONS[str(image.format)]:
        raise upload_error("wrong_extension", format=image.format)


def check_pixels(image: Image.Image) -> None:
    """Refuse decompression bombs before they are decoded."""
    if image.width * image.height > settings.UPLOAD_MAX_PIXELS:
        raise upload_error("too_many_pixels")


def check_frames(image: Image.Image) -> None:
    """Refuse animations: reviewers would only see the first frame, and decoding all frames can be a bomb."""
    if image.format != "MPO" and getattr(image, "n_frames", 1) != 1:
        raise upload_error("animated")


def reencode(image: Image.Image) -> ReencodedImage:
    """Decode the whole image, which finds truncated files, and copy its pixels into new JPEG files.

    Metadata with places and names, comments, color profiles and trailing bytes are left behind.
    """
    try:
        if image.mode.startswith("I"):
            # 16-bit grey: Pillow's own conversion would clip the values at 255 instead of scaling them.
            image = image.convert("I").point(lambda value: value / 256).convert("L")
        # Where possible, a JPEG is decoded at a fraction of its size, which saves most of the memory.
        image.thumbnail((VARIANTS["display"],) * 2, Image.Resampling.HAMMING, reducing_gap=1.0)
        with suppress(Exception):  # an image with malformed metadata is accepted without rotation
            ImageOps.exif_transpose(image, in_place=True)
        display = flatten_to_rgb(image)
    except Exception:  # a decoder can raise anything at an untrusted file
        raise upload_error("damaged") from None
    thumbnail = display.copy()
    thumbnail.thumbnail((VARIANTS["thumbnail"],) * 2, Image.Resampling.HAMMING, reducing_gap=1.0)
    return ReencodedImage({"display": encode(display), "thumbnail": encode(thumbnail)}, *display.size)


def flatten_to_rgb(image: Image.Image) -> Image.Image:
    """Return a new RGB image with the pixels of `image`, transparency replaced by white."""
    canvas = Image.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas.paste(image, mask=image.getchannel("A"))
    else:
        canvas.paste(image if image.mode == "RGB" else image.convert("RGB"))
    return canvas


def encode(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
