"""Colors and sharpness of re-encoded photos, compared with slower conversions.

The color profiles are those of Debian's packages colord-data, argyll and
icc-profiles-free.
"""

import math
import statistics
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image, ImageChops, ImageCms, ImageStat

from benchmarks import import_engine, print_table
from tests.support.images import encode, landscape

FOLDERS = [
    Path("/usr/share/color/icc/colord"),
    Path("/usr/share/color/argyll/ref"),
    Path("/usr/share/color/icc"),
]
# The name of each profile, its file, and the mode of its images.
PROFILES = {
    "sRGB": ("sRGB.icc", "RGB"),
    "Display P3": ("DisplayP3.icm", "RGB"),
    "Adobe RGB (1998)": ("AdobeRGB1998.icc", "RGB"),
    "Apple RGB": ("AppleRGB.icc", "RGB"),
    "eciRGB v2": ("ECI-RGBv2.icc", "RGB"),
    "Rec. 2020": ("Rec2020.icm", "RGB"),
    "ProPhoto RGB": ("ProPhotoRGB.icc", "RGB"),
    "FOGRA39 (CMYK)": ("FOGRA39L_coated.icc", "CMYK"),
    "SWOP (CMYK)": ("SWOP_TR003_coated_3.icc", "CMYK"),
    "gray": ("Gray.icc", "L"),
}
SRGB = ImageCms.createProfile("sRGB")
WHITE = 0.95047, 1.0, 1.08883
EDGES = 2000, 480
SIZES = [(4000, 3000), (5000, 4000), (6000, 4000), (8000, 6000)]

type Color = tuple[float, float, float]


def to_lab(pixel: tuple[int, ...]) -> Color:
    """Return the CIELAB values of an sRGB pixel, for the white point D65."""
    # The constants are those of IEC 61966-2-1 and of CIE 15.
    red, green, blue = (
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for v in (p / 255 for p in pixel)
    )
    x = 0.4124564 * red + 0.3575761 * green + 0.1804375 * blue
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = 0.0193339 * red + 0.1191920 * green + 0.9503041 * blue
    ratios = (value / white for value, white in zip((x, y, z), WHITE, strict=True))
    fx, fy, fz = (
        ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 4 / 29  # noqa: PLR2004
        for ratio in ratios
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def delta_e(one: Color, two: Color) -> float:
    """Return the color difference CIEDE2000 (Sharma, Wu and Dalal, 2005)."""
    mean_chroma = (math.hypot(*one[1:]) + math.hypot(*two[1:])) / 2
    g = 0.5 * (1 - math.sqrt(mean_chroma**7 / (mean_chroma**7 + 25**7)))
    (a1, b1), (a2, b2) = (((1 + g) * color[1], color[2]) for color in (one, two))
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    lightness, chroma = two[0] - one[0], c2 - c1
    hue = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    mean_l, mean_c = (one[0] + two[0]) / 2, (c1 + c2) / 2
    mean_h = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = 1 - 0.17 * cosine(mean_h - 30) + 0.24 * cosine(2 * mean_h)
    t += 0.32 * cosine(3 * mean_h + 6) - 0.20 * cosine(4 * mean_h - 63)
    sl = 1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2)
    sc, sh = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    rotation = 60 * math.exp(-(((mean_h - 275) / 25) ** 2))
    rt = (
        -2
        * math.sqrt(mean_c**7 / (mean_c**7 + 25**7))
        * math.sin(math.radians(rotation))
    )
    return math.sqrt(
        (lightness / sl) ** 2
        + (chroma / sc) ** 2
        + (hue / sh) ** 2
        + rt * (chroma / sc) * (hue / sh),
    )


def cosine(degrees: float) -> float:
    """Return the cosine of an angle in degrees."""
    return math.cos(math.radians(degrees))


def difference(one: Image.Image, two: Image.Image) -> float:
    """Return the mean CIEDE2000 of a grid of pixels."""
    points = [(x, y) for x in range(5, one.width, 17) for y in range(5, one.height, 17)]
    pairs = ((one.getpixel(point), two.getpixel(point)) for point in points)
    return statistics.fmean(delta_e(to_lab(a), to_lab(b)) for a, b in pairs)  # type: ignore[arg-type]


def convert(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image in sRGB."""
    intent, flags = (
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    converted = ImageCms.profileToProfile(
        image, source, SRGB, intent, "RGB", flags=flags
    )
    assert converted  # noqa: S101  # None is for conversions in place
    return converted


def find(name: str) -> bytes:
    """Return a profile."""
    path = next((folder / name for folder in FOLDERS if (folder / name).exists()), None)
    if path is None:
        sys.exit(
            f"{name} is missing: apt-get install colord-data argyll icc-profiles-free"
        )
    return path.read_bytes()


def scene(seed: int) -> Image.Image:
    """Return a landscape of 6 megapixels below rows of saturated colors."""
    image = landscape(seed, (3000, 2000))
    hues = Image.linear_gradient("L").rotate(90).resize((3000, 400))
    full = Image.new("L", hues.size, 255)
    image.paste(Image.merge("HSV", [hues, full, full]).convert("RGB"), (0, 0))
    image.paste(
        Image.merge(
            "HSV", [hues, full.point(lambda _: 128), full.point(lambda _: 200)]
        ).convert("RGB"),
        (0, 400),
    )
    return image


def decode_again(images: Any, content: bytes) -> Image.Image:  # noqa: ANN401  # a module of the generated project
    """Return the display variant of a file, as a project stores it."""
    result = images.validate_and_reencode(content)
    return Image.open(BytesIO(result.files["display"])).convert("RGB")


def colors(images: Any) -> Iterator[list[object]]:  # noqa: ANN401  # a module of the generated project
    """Yield a row for each profile."""
    for name, (file, mode) in PROFILES.items():
        profile = find(file)
        values = []
        for seed in range(3):
            # The values stay as they are, so that the colors fill the space of the
            # profile.
            content = encode(scene(seed).convert(mode), quality=95, icc_profile=profile)
            out = decode_again(images, content)
            scaled = Image.open(BytesIO(content))
            scaled.thumbnail(
                (EDGES[0],) * 2, Image.Resampling.LANCZOS, reducing_gap=2.0
            )
            after = convert(scaled, profile)
            before = convert(Image.open(BytesIO(content)), profile)
            before.thumbnail(
                (EDGES[0],) * 2, Image.Resampling.LANCZOS, reducing_gap=2.0
            )
            again = Image.open(BytesIO(encode(after, quality=85)))
            ignored = scaled.convert("RGB")
            pairs = (after, out), (after, again), (after, before), (after, ignored)
            values.append([difference(*pair) for pair in pairs])
        yield [name, *map(statistics.fmean, zip(*values, strict=True))]


def sharpness(decoder: ModuleType) -> Iterator[list[object]]:
    """Yield a row for each variant: its signal-to-noise ratio against a full Lanczos.

    JPEG's own losses are left out.
    """
    kept: list[Image.Image] = []
    save: Callable[..., None] = Image.Image.save
    for edge in EDGES:
        ratios = []
        for seed, size in enumerate(SIZES):
            content = encode(landscape(seed, size), quality=92)
            kept.clear()
            Image.Image.save = lambda image, *_, **__: kept.append(image.copy())  # type: ignore[method-assign]
            try:
                decoder.reencode(content, 10**9, EDGES)
            finally:
                Image.Image.save = save  # type: ignore[method-assign]
            out = kept[EDGES.index(edge)]
            full = (
                Image.open(BytesIO(content))
                .convert("RGB")
                .resize(out.size, Image.Resampling.LANCZOS)
            )
            error = statistics.fmean(
                value**2
                for value in ImageStat.Stat(ImageChops.difference(out, full)).rms
            )
            ratios.append(10 * math.log10(255**2 / error) if error else math.inf)
        yield [f"{edge} pixels", *ratios]


def main() -> None:
    """Print both tables."""
    images = import_engine("secure_django.photos.images")
    print_table(
        [
            "mean CIEDE2000",
            "as stored",
            "re-encoding alone",
            "converted before scaling",
            "profile ignored",
        ],
        list(colors(images)),
    )
    print()
    decoder = import_engine("secure_django.photos.decoder")
    sizes = [f"{width} by {height}" for width, height in SIZES]
    print_table(["against a full Lanczos, dB", *sizes], list(sharpness(decoder)))


if __name__ == "__main__":
    main()
