"""Upload validation."""

import json
import struct
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from PIL import ExifTags, Image, ImageChops, ImageCms
from pytest_django import Settings

from core.testing import MakeImage
from uploads import images
from uploads.images import VARIANTS, ReencodedImage, run_decoder, validate_and_reencode

# What a decoder could answer.
ANSWER = '{"size": [1, 1], "lengths": [1]}\n'
# Code that confines itself like the decoder and then tries what only an attacker would do.
PROBE = f"""
import json, os, runpy, socket
runpy.run_path({str(images.DECODER)!r})["confine"](1, 2**28)

def works(attempt):
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True

variables = [name for name in os.environ if name != "LC_CTYPE"]
attempts = [lambda: open({__file__!r}), socket.socket, lambda: bytearray(2**28)]
print(json.dumps([variables, *map(works, attempts)]))
"""


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
    ("format", "name"), [("JPEG", "a.jpg"), ("JPEG", "A.JFIF"), ("PNG", "a.png"), ("WEBP", "a.webp"), ("MPO", "a.jpg")]
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


def test_color_profile_is_applied_or_ignored_if_broken(make_image: MakeImage) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # With the tags of the red and green primaries swapped, the file's red means green.
    swapped = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    Image.new("RGB", (8, 8), "red").save(file := BytesIO(), "PNG", icc_profile=swapped)
    out = Image.open(BytesIO(reencode(file.getvalue(), "a.png").files["display"]))
    assert max(ImageChops.difference(out, Image.new("RGB", (8, 8), "lime")).tobytes()) < 10
    reencode(make_image(icc_profile=profile[:200]))
    reencode(make_image(mode="L", icc_profile=profile))


@pytest.mark.control("V5.2.2")
@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "Most Compatible"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "AVIF"),
        (b"II*\0\x10\0\0\0CR\x02\0", "RAW or TIFF"),
        (b"GIF89a", "GIF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "one of these formats"),
    ],
)
def test_other_format_is_refused_with_advice(content: bytes, advice: str) -> None:
    with pytest.raises(ValidationError, match=advice) as error:
        reencode(content)
    assert error.value.code == "unsupported_type"


@pytest.mark.control("V5.2.2")
def test_extension_of_another_format_is_refused(make_image: MakeImage) -> None:
    assert code_of(make_image("PNG"), "a.jpg") == "wrong_extension"
    assert code_of(make_image(), "a.jpg.php") == "wrong_extension"
    assert code_of(make_image(), "a") == "wrong_extension"


@pytest.mark.control("V5.2.2")
def test_damaged_files_and_animations_are_refused(make_image: MakeImage) -> None:
    assert code_of(b"") == "empty"
    whole = make_image(size=(640, 480))
    assert code_of(whole[: len(whole) // 2]) == "damaged"
    assert code_of(whole[:20]) == "damaged"
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}
    for format in ("PNG", "WEBP"):
        assert code_of(make_image(format, **frames), f"a.{format}") == "animated"


@pytest.mark.control("V5.2.6")
def test_decompression_bomb_is_refused_before_decoding(make_image: MakeImage, settings: Settings) -> None:
    assert code_of(with_declared_size(make_image("PNG"), 60_000, 60_000), "a.png") == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 64 * 48 - 1
    assert code_of(make_image("PNG"), "a.png") == "too_many_pixels"


@pytest.mark.control("V5.2.6")
def test_image_that_takes_too_much_time_is_refused(make_image: MakeImage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CPU_SECONDS", 1)
    monkeypatch.setattr(images, "WALL_SECONDS", 60)
    content = make_image(size=(4000, 4000), mode="L", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert code_of(content[:-2] + scan * 300 + content[-2:]) == "too_slow"
    # Arithmetic coding takes even longer, and no camera uses it.
    assert code_of(content.replace(b"\xff\xc2", b"\xff\xca", 1)) == "damaged"


@pytest.mark.control("V5.2.6")
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux limits the address space.")
def test_image_that_takes_too_much_memory_is_refused(
    make_image: MakeImage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UPLOAD_MAX_PIXELS = 50_000_000
    monkeypatch.setattr(images, "MEMORY_BYTES", 2**27)
    assert code_of(with_declared_size(make_image("PNG"), 7000, 7000), "a.png") == "too_much_memory"


@pytest.mark.control("V15.2.5")
@pytest.mark.parametrize(
    ("script", "code"),
    [
        (f"print({ANSWER!r}, flush=True); import os; os.abort()", "crashed"),
        (f"print({ANSWER!r} + 'x' * 2**26)", "crashed"),
        (f"print({ANSWER!r}.replace('1', '9999999999'))", "crashed"),
        ("print('no JSON')", "crashed"),
        ("import time; time.sleep(20)", "too_slow"),
    ],
)
def test_failing_decoder_costs_one_refusal(
    script: str, code: str, make_image: MakeImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    monkeypatch.setattr(images, "WALL_SECONDS", 1 if code == "too_slow" else 60)
    images.DECODER.write_text(script, encoding="utf-8")
    started = time.monotonic()
    assert code_of(make_image()) == code
    assert time.monotonic() - started < 20


@pytest.mark.control("V15.2.5")
@pytest.mark.skipif(sys.platform != "linux", reason="Other systems lack some of the limits.")
def test_decoder_has_no_secrets_files_network_or_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "DECODER", tmp_path / "probe.py")
    images.DECODER.write_text(PROBE, encoding="utf-8")
    monkeypatch.setenv("A_SECRET", "secret")
    assert json.loads(run_decoder(b"")) == [[], False, False, False]


@pytest.mark.control("V5.2.1")
def test_size_limit_is_exact(make_image: MakeImage, settings: Settings) -> None:
    content = make_image()
    settings.UPLOAD_MAX_BYTES = len(content)
    reencode(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code_of(content) == "too_large"
