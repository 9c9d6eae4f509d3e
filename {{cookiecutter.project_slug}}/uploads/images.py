"""The gate: bytes of a stranger in, bytes of our own making out."""

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

# What may come in: Pillow's formats, each with the endings a file name may have.
# MPO is what many phones write as .jpg: a JPEG with further pictures behind it, which are not read.
EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg"},
    "MPO": {".jpg", ".jpeg"},
    "PNG": {".png"},
    "WEBP": {".webp"},
}
# Longest edge in pixels of what goes out.
VARIANTS = {"display": 2000, "thumbnail": 480}
JPEG_QUALITY = 85
# The markers that libjpeg skips by the length behind them; past anything else it reads on, and so must we.
JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
# Progressive pictures of usual programs have about ten.
MAX_JPEG_PASSES = 64
# Usual programs write a JPEG's metadata in some hundred parts at most, and a PNG's pixels in one for each 8 KiB.
MAX_PARTS = 10_000

# Pillow warns once for each odd tag: thousands of lines in the log, made by a stranger.
warnings.filterwarnings("ignore", module="PIL")
# A picture at the limit of pixels takes up to 700 MB while it is decoded: one at a time in each process.
decoding = Lock()

MESSAGES = {
    "missing": "Choose a photo.",
    "empty": "This file is empty. Choose another one.",
    "too_large": "This file is too large. The limit is {megabytes:g} MB; save a smaller copy and try again.",
    "unsupported_type": "Only JPEG, PNG and WebP photos are accepted. Save it as one of them and try again.",
    "wrong_extension": "The file's name does not fit its content. It is a {format}: give its name that ending.",
    "animated": "Moving pictures are not accepted. Save a single frame and try again.",
    "too_many_pixels": "This photo has too many pixels. The limit is {megapixels:g} megapixels; make it smaller first.",
    "quota": "You have reached the limit of {photos} photos an hour. Come back later.",
    "damaged": "This file is damaged and cannot be read. Open it, save it anew and try again.",
}


@dataclass(frozen=True)
class Rebuilt:
    """A photo of our own making: `files` holds JPEG bytes by variant, width and height those of `display`."""

    files: dict[str, bytes]
    width: int
    height: int


def refuse(code: str, **values: object) -> ValidationError:
    text = MESSAGES[code].format(
        megabytes=round(settings.UPLOAD_MAX_BYTES / 1024**2, 1),
        megapixels=round(settings.UPLOAD_MAX_PIXELS / 1_000_000, 1),
        **values,
    )
    return ValidationError(text, code=code)


def sanitize(file: IO[bytes], name: str, size: int) -> Rebuilt:
    """Returns `file` (of `size` bytes) rebuilt from its pixels, or raises ValidationError with a code of MESSAGES."""
    if not size:
        raise refuse("empty")
    if size > settings.UPLOAD_MAX_BYTES:
        raise refuse("too_large")
    check_parts(file)
    try:
        # Only these parsers: Pillow knows forty more, each with holes of its own.
        image = Image.open(file, formats=("JPEG", "PNG", "WEBP"))
    except Image.DecompressionBombError:
        raise refuse("too_many_pixels") from None
    except Exception:  # a parser fed with hostile bytes raises whatever it likes
        raise refuse("unsupported_type") from None
    with image:
        check_extension(image, name)
        check_pixels(image)
        check_frames(image)
        with decoding:
            return rebuild(image)


def check_parts(file: IO[bytes]) -> None:
    """Stops JPEGs of thousands of passes over the picture, each of a few bytes, which decode for hours.

    And files of a million empty parts, which Pillow reads for seconds before anything can be asked.
    """
    file.seek(0)
    start, parts, passes = file.read(8), 0, 0
    if start == b"\x89PNG\r\n\x1a\n":
        while len(chunk := file.read(8)) == 8 and parts <= MAX_PARTS:
            file.seek(int.from_bytes(chunk[:4]) + 4, os.SEEK_CUR)
            # What is not of pixels weighs more: each such part may unpack to a megabyte.
            parts += 1 if chunk[4:] == b"IDAT" else 50
    elif start.startswith(b"\xff\xd8"):
        file.seek(2)
        parts, passes = count_jpeg(file.read())
    if parts > MAX_PARTS or passes > MAX_JPEG_PASSES:
        raise refuse("damaged")


def count_jpeg(data: bytes) -> tuple[int, int]:
    """Returns the parts and passes of a JPEG without its first two bytes, as a decoder meets them."""
    parts = passes = position = 0
    while parts <= MAX_PARTS:
        marker = JPEG_MARKER.search(data, position)
        if not passes:
            # Pillow goes byte by byte through what stands between the parts up to the first pass.
            parts += (marker.start() if marker else len(data)) - position
        if not marker or (marker[1] == b"\xd9" and passes):
            break
        # An end before any pass is none: a decoder takes what it has read for tables, and reads on.
        length = 0 if marker[1] == b"\xd9" else int.from_bytes(data[marker.end() : marker.end() + 2])
        position = marker.end() + length
        passes += marker[1] == b"\xda"
        parts += 1
    return parts, passes


def check_extension(image: Image.Image, name: str) -> None:
    """Stops a file that one program takes for a picture and another, by its name, for something else."""
    if PurePath(name).suffix.lower() not in EXTENSIONS[str(image.format)]:
        raise refuse("wrong_extension", format=image.format)


def check_pixels(image: Image.Image) -> None:
    """Stops bombs before anything is decoded: a file of kilobytes can announce gigabytes of pixels."""
    if image.width * image.height > settings.UPLOAD_MAX_PIXELS:
        raise refuse("too_many_pixels")


def check_frames(image: Image.Image) -> None:
    """Stops animations: nobody would review the thousandth frame, and decoding them all is a bomb."""
    if image.format != "MPO" and getattr(image, "n_frames", 1) != 1:
        raise refuse("animated")


def rebuild(image: Image.Image) -> Rebuilt:
    """Decodes the whole picture, so that a truncated one is found, and copies its pixels to new ones.

    What is not a pixel stays behind: metadata with places and names, comments, colour profiles, trailing bytes.
    """
    try:
        if image.mode.startswith("I"):
            # 16 bits a grey value; Pillow's own conversion would cut them off at 255 instead of scaling.
            image = image.convert("I").point(lambda value: value / 256).convert("L")
        # A JPEG is decoded at a fraction of its size here where that is enough, which saves most of its memory.
        image.thumbnail((VARIANTS["display"],) * 2, Image.Resampling.HAMMING, reducing_gap=1.0)
        with suppress(Exception):  # one that lies on its side is better than one refused for odd metadata
            ImageOps.exif_transpose(image, in_place=True)
        display = on_white(image)
    except Exception:  # as above
        raise refuse("damaged") from None
    thumbnail = display.copy()
    thumbnail.thumbnail((VARIANTS["thumbnail"],) * 2, Image.Resampling.HAMMING, reducing_gap=1.0)
    return Rebuilt({"display": encode(display), "thumbnail": encode(thumbnail)}, *display.size)


def on_white(image: Image.Image) -> Image.Image:
    """Returns a new opaque RGB picture with the pixels of `image`."""
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
