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


def landscape(
    seed: int, size: tuple[int, int] = (1600, 1200), grain: float = 0.05
) -> Image.Image:
    """Return a landscape that depends on the seed only.

    `grain` is the share of noise: from about 0.15 on, encoded files are as large as
    those of real photos.
    """
    random = Random(seed)  # noqa: S311
    width, height = size
    top, horizon, near = (
        ImageColor.getrgb(color)[:3] for color in PALETTES[seed % len(PALETTES)]
    )
    sky = Image.linear_gradient("L").resize(size)
    image = Image.composite(
        Image.new("RGB", size, horizon), Image.new("RGB", size, top), sky
    )

    glow = Image.new("L", size)
    x, y, radius = (
        random.uniform(0.2, 0.8) * width,
        random.uniform(0.25, 0.5) * height,
        height / 14,
    )
    ImageDraw.Draw(glow).ellipse(
        (x - radius, y - radius, x + radius, y + radius), fill=235
    )
    image.paste("#fff6dd", mask=glow.filter(ImageFilter.GaussianBlur(radius / 12)))

    for layer in range(5):
        depth = (layer + 1) / 5
        color = tuple(
            round(far + (close - far) * depth)
            for far, close in zip(horizon, near, strict=True)
        )
        waves = [
            (random.uniform(1, 5) * (n + 1), random.uniform(0, 7), 0.06 / (n + 1))
            for n in range(4)
        ]
        ridge = [
            (
                at,
                height
                * (
                    0.45
                    + 0.11 * layer
                    + sum(a * math.sin(f * at / width + p) for f, p, a in waves)
                ),
            )
            for at in range(0, width + 8, 8)
        ]
        ImageDraw.Draw(image).polygon(
            [*ridge, (width, height), (0, height)], fill=color
        )

    noise = Image.effect_noise(size, 24).convert("RGB")
    return Image.blend(image.filter(ImageFilter.GaussianBlur(0.7)), noise, grain)


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
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = (
        f"{marker} comment".encode()
    )
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (48.0, 8.0, 13.7),
            ExifTags.GPS.GPSLongitudeRef: "E",
            ExifTags.GPS.GPSLongitude: (11.0, 34.0, 31.2),
            ExifTags.GPS.GPSDateStamp: "2026:05:04",
        }
    )
    xmp = f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{marker}</x:xmpmeta>".encode()
    return encode(
        image, exif=exif, comment=f"{marker} <?php".encode(), xmp=xmp, quality=90
    )
