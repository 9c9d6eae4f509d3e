"""Images that look like photos, and files as cameras write them."""

import math
from io import BytesIO
from random import Random
from typing import Any

from PIL import ExifTags, Image, ImageColor, ImageDraw, ImageFilter

# The colors of the upper sky, the horizon and the nearest hill.
PALETTES = [
    ("#20396b", "#f2a65e", "#171f38"),
    ("#4f8fc0", "#e3eef2", "#23492f"),
    ("#2b2350", "#e0778c", "#1a1430"),
    ("#7fb2c7", "#f7e7c6", "#3f5a3c"),
    ("#0f2438", "#5fa8a1", "#0b1a22"),
    ("#c56b4c", "#f9d99a", "#4a2418"),
    ("#8796a8", "#dfe3e3", "#2c3640"),
    ("#33599b", "#fbc9bd", "#20304f"),
]
HILLS = 5


def landscape(
    seed: int, size: tuple[int, int] = (1600, 1200), grain: float = 0.05
) -> Image.Image:
    """Return a landscape that depends on the seed only.

    `grain` is the share of noise: from about 0.15 on, encoded files are as large as
    those of real photos.
    """
    random = Random(seed)  # noqa: S311
    palette = PALETTES[seed % len(PALETTES)]
    top, horizon, near = (ImageColor.getrgb(color)[:3] for color in palette)
    image = Image.composite(
        Image.new("RGB", size, horizon),
        Image.new("RGB", size, top),
        Image.linear_gradient("L").resize(size),
    )
    draw_sun(image, random)
    for layer in range(HILLS):
        depth = (layer + 1) / HILLS
        color = tuple(
            round(far + (close - far) * depth)
            for far, close in zip(horizon, near, strict=True)
        )
        draw_hill(image, random, 0.45 + 0.11 * layer, color)
    noise = Image.effect_noise(size, 24).convert("RGB")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(0.7)), noise, grain)


def draw_sun(image: Image.Image, random: Random) -> None:
    """Draw a sun in the middle of the sky."""
    x = random.uniform(0.2, 0.8) * image.width
    y = random.uniform(0.25, 0.5) * image.height
    radius = image.height / 14
    disk = (x - radius, y - radius, x + radius, y + radius)
    glow = Image.new("L", image.size)
    ImageDraw.Draw(glow).ellipse(disk, fill=235)
    image.paste("#fff6dd", mask=glow.filter(ImageFilter.GaussianBlur(radius / 12)))


def draw_hill(
    image: Image.Image, random: Random, base: float, color: tuple[int, ...]
) -> None:
    """Draw a hill from its ridge down; `base` is the ridge's share of the height."""
    width, height = image.size
    # Each wave has a frequency, a phase and an amplitude.
    waves = [
        (random.uniform(1, 5) * number, random.uniform(0, 7), 0.06 / number)
        for number in range(1, 5)
    ]
    outline = []
    for x in range(0, width + 8, 8):
        share = base + sum(a * math.sin(f * x / width + p) for f, p, a in waves)
        outline.append((x, height * share))
    outline += [(width, height), (0, height)]
    ImageDraw.Draw(image).polygon(outline, fill=color)


def encode(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:  # noqa: ANN401
    """Return an image as a file's content; the options go to Pillow's `save`."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def camera_file(image: Image.Image, marker: str, orientation: int = 1) -> bytes:
    """Return a JPEG with a phone's metadata: time, location, author.

    All its texts contain `marker`.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = f"{marker} Make"
    exif[ExifTags.Base.Artist] = f"{marker} Artist"
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.DateTime] = "2026:05:04 03:02:01"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.UserComment] = f"{marker} comment".encode()
    location = exif.get_ifd(ExifTags.IFD.GPSInfo)
    location[ExifTags.GPS.GPSLatitudeRef] = "N"
    location[ExifTags.GPS.GPSLatitude] = (48.0, 8.0, 13.7)
    location[ExifTags.GPS.GPSLongitudeRef] = "E"
    location[ExifTags.GPS.GPSLongitude] = (11.0, 34.0, 31.2)
    location[ExifTags.GPS.GPSDateStamp] = "2026:05:04"
    comment = f"{marker} <?php".encode()
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{marker}</x:xmpmeta>".encode()
    return encode(image, exif=exif, comment=comment, xmp=xmp, quality=90)
