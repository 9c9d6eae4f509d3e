"""Speed of upload validation, processes included.

It is compared with Pillow doing the same work in one process.
"""

import statistics
import time
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageCms

from benchmarks import import_engine, print_table
from tests.support.images import camera_file, encode, landscape

ROUNDS = 7
# Files are as large as those of cameras: 12 megapixels take 5 MB.
GRAIN = 0.25
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PHONE = landscape(1, (4000, 3000), GRAIN)
FILES = {
    "photo of a phone, JPEG, 12 megapixels": camera_file(PHONE, "x"),
    "the same with a color profile": encode(PHONE, quality=90, icc_profile=PROFILE),
    "photo, JPEG, 2 megapixels": encode(landscape(2, (1600, 1200), GRAIN), quality=90),
    "progressive JPEG, 6 megapixels": encode(
        landscape(3, (3000, 2000), GRAIN), quality=90, progressive=True
    ),
    "PNG, 3 megapixels": encode(landscape(4, (2000, 1500), GRAIN), "PNG"),
    "WebP, 3 megapixels": encode(landscape(5, (2000, 1500), GRAIN), "WEBP", quality=90),
}


def pillow_alone(content: bytes) -> list[bytes]:
    """Do what a decoder does, in this process.

    Scale the image, convert its colors and encode two variants.
    """
    files: list[bytes] = []
    with Image.open(BytesIO(content)) as file:
        image: Image.Image = file
        profile = image.info.get("icc_profile")
        for edge in (2000, 480):
            image.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2.0)
            if not files and profile:
                image = convert_to_srgb(image, profile)
            files.append(encode(image, quality=85))
    return files


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image in sRGB."""
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted  # noqa: S101  # None is for conversions in place
    return converted


def seconds(work: Callable[..., object], *arguments: object) -> float:
    """Return the duration of a call."""
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def main() -> None:
    """Alternate both for each file; print the throughput as a share of Pillow's."""
    rows: list[list[object]] = []
    totals = [0.0, 0.0]
    images = import_engine("secure_django.photos.images")
    for name, content in FILES.items():
        pairs = [
            (
                seconds(pillow_alone, content),
                seconds(images.validate_and_reencode, content),
            )
            for _ in range(ROUNDS)
        ]
        alone, project_time = (
            statistics.median(column) for column in zip(*pairs, strict=True)
        )
        totals = [totals[0] + alone, totals[1] + project_time]
        rows.append([name, alone * 1000, project_time * 1000, alone / project_time])
    rows.append(
        ["all together", totals[0] * 1000, totals[1] * 1000, totals[0] / totals[1]]
    )
    print_table(
        [
            f"file, median of {ROUNDS}",
            "Pillow, ms",
            "upload validation, ms",
            "throughput",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
