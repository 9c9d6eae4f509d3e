"""Upload validation."""

import json
import struct
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest
from django.core.exceptions import ValidationError
from PIL import ExifTags, Image, ImageChops, ImageCms
from pytest_django import Settings

from core.testing import MakeImage
from uploads import decoder, images
from uploads.images import ReencodedImage, retry_after, run_decoder, validate_and_reencode

# What a decoder could answer.
ANSWER = '{"size": [1, 1], "lengths": [1]}\n'
# A black pixel, a white one, and so on.
STRIPES = Image.frombytes("1", (4000, 8), b"\xaa" * 4000)
# Code that confines itself like the decoder and then tries what only an attacker would do.
PROBE = f"""
import json, os, resource, runpy, socket, sys
runpy.run_path({str(images.DECODER)!r})["confine"](*map(int, sys.argv[1:3]))

def works(attempt):
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True

print("not for the log of the site", file=sys.stderr)
process = [os.getcwd(), sys.flags.isolated, [name for name in os.environ if name != "LC_CTYPE"]]
names = ("CPU", "AS", "NPROC", "FSIZE", "CORE", "NOFILE")
limits = [resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names]
attempts = [lambda: open({__file__!r}), socket.socket, lambda: bytearray(2**28)]
print(json.dumps([process, limits, *map(works, attempts)]))
"""


def reencode(content: bytes, name: str = "a.jpg") -> ReencodedImage:
    return validate_and_reencode(content, name)


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
    for variant, size in {"display": (2000, 1000), "thumbnail": (480, 240)}.items():
        image = Image.open(BytesIO(photo.files[variant]))
        assert (image.format, image.size) == ("JPEG", size)


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


@pytest.mark.parametrize(
    ("image", "options", "shade"),
    [
        (STRIPES, {}, 127),
        (STRIPES.convert("P"), {}, 127),
        (Image.new("P", (8, 8)), {"transparency": 0}, 255),
        (Image.new("RGB", (8, 8)), {"transparency": (0, 0, 0)}, 255),
        (Image.new("LA", (8, 8), (0, 155)), {}, 100),
        (Image.new("L", (8, 8), 100), {}, 100),
        (Image.new("I;16", (8, 8), 25600), {}, 100),
    ],
)
def test_every_mode_keeps_its_shades(image: Image.Image, options: dict[str, Any], shade: int) -> None:
    image.save(file := BytesIO(), "PNG", **options)
    out = Image.open(BytesIO(reencode(file.getvalue(), "a.png").files["display"]))
    assert out.getpixel((out.width // 2, out.height // 2)) == pytest.approx((shade,) * 3, abs=3)


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
@pytest.mark.parametrize(
    ("format", "name"), [("PNG", "a.jpg"), ("JPEG", "a.jpg.php"), ("JPEG", "a"), ("WebP", "a.png")]
)
def test_extension_of_another_format_is_refused(make_image: MakeImage, format: str, name: str) -> None:
    with pytest.raises(ValidationError, match=format) as error:
        reencode(make_image(format), name)
    assert error.value.code == "wrong_extension"


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
    settings.UPLOAD_MAX_PIXELS = 64 * 48
    reencode(make_image())
    settings.UPLOAD_MAX_PIXELS -= 1
    assert code_of(make_image("PNG"), "a.png") == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 7_000_000
    with pytest.raises(ValidationError, match=r"\b7 megapixels"):
        reencode(make_image(size=(3000, 3000)))


@pytest.mark.control("V5.2.6")
def test_image_that_takes_too_much_time_is_refused(make_image: MakeImage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CPU_SECONDS", 1)
    monkeypatch.setattr(images, "WALL_SECONDS", 60)
    content = make_image(size=(4000, 4000), mode="L", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert code_of(content[:-2] + scan * 300 + content[-2:]) == "too_slow"
    # Arithmetic coding takes even longer, and no camera uses it.
    assert code_of(content.replace(b"\xff\xc2", b"\xff\xca", 1)) == "damaged"
    assert code_of(make_image().replace(b"\xff\xc0", b"\xff\xc9", 1)) == "damaged"


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
        (f"import os\ntry: print({ANSWER!r} + 'x' * 2**26)\nexcept OSError: os._exit(0)", "crashed"),
        (f"print({ANSWER!r}.replace('1', '9999999999'))", "crashed"),
        ("print('no JSON')", "crashed"),
        ("import time; time.sleep(20)", "busy"),
    ],
)
def test_failing_decoder_costs_one_refusal(
    script: str,
    code: str,
    make_image: MakeImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    monkeypatch.setattr(images, "WALL_SECONDS", 1 if code == "busy" else 60)
    images.DECODER.write_text(script, encoding="utf-8")
    started = time.monotonic()
    assert code_of(make_image()) == code
    assert time.monotonic() - started < 20
    assert ("the decoder ended with code" in caplog.text) == ("print('no" not in script and "replace" not in script)


@pytest.mark.control("V15.2.2")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals.")
@pytest.mark.parametrize(
    ("signal", "code"),
    [("TERM", "busy"), ("KILL", "busy"), ("INT", "busy"), ("SEGV", "crashed"), ("BUS", "crashed"), ("SYS", "crashed")],
)
def test_photo_is_not_to_blame_for_a_decoder_that_others_end(
    signal: str, code: str, make_image: MakeImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    script = f"import os, signal, time\ntime.sleep(0.5)\nos.kill(os.getpid(), signal.SIG{signal})\ntime.sleep(9)"
    images.DECODER.write_text(script, encoding="utf-8")
    used: list[float] = []
    with pytest.raises(ValidationError) as error:
        validate_and_reencode(make_image(), "a.jpg", used)
    assert (error.value.code, retry_after(error.value)) == (code, 10 if code == "busy" else 0)
    # The CPU time alone counts, but no less than a second for a turn without a result.
    assert used == [1] if code == "busy" else 0 < used[0] < 0.5


@pytest.mark.control("V15.2.5")
@pytest.mark.skipif(sys.platform != "linux", reason="Other systems lack some of the limits.")
def test_decoder_has_no_secrets_files_network_or_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert images.MEMORY_BYTES <= 2**30
    monkeypatch.setattr(images, "CPU_SECONDS", 1)
    monkeypatch.setattr(images, "MEMORY_BYTES", 2**28)
    monkeypatch.setattr(images, "DECODER", tmp_path / "probe.py")
    images.DECODER.write_text(PROBE, encoding="utf-8")
    monkeypatch.setenv("A_SECRET", "secret")
    limits = [[1, 2], [2**28] * 2, *[[0, 0]] * 4]
    assert json.loads(run_decoder(b"")) == [["/", 1, []], limits, False, False, False]
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform != "linux", reason="Other systems have no Landlock.")
@pytest.mark.parametrize(
    ("version", "file_rights", "tcp", "signals"),
    [(1, 13, 0, 0), (2, 14, 0, 0), (3, 15, 0, 0), (4, 15, 3, 0), (5, 16, 3, 0), (6, 16, 3, 3), (7, 16, 3, 3)],
)
def test_decoder_gives_up_all_that_the_kernel_knows(
    version: int, file_rights: int, tcp: int, signals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    libc, close = Mock(**{"syscall.side_effect": [version, 9, 0, -1]}), Mock()
    monkeypatch.setattr("ctypes.CDLL", lambda name: libc)
    monkeypatch.setattr("os.close", close)
    monkeypatch.setattr("resource.setrlimit", Mock())
    decoder.confine(1, 2**28)
    decoder.confine(1, 2**28)  # on a kernel without Landlock
    monkeypatch.undo()
    close.assert_called_once_with(9)
    assert libc.mock_calls == [
        call.syscall(444, None, 0, 1),
        call.syscall(444, struct.pack("QQQ", 2**file_rights - 1, tcp, signals), 24, 0),
        call.prctl(38, 1, 0, 0, 0),
        call.syscall(446, 9, 0),
        call.syscall(444, None, 0, 1),
    ]


@pytest.mark.control("V5.2.1")
def test_size_limit_is_exact(make_image: MakeImage, settings: Settings) -> None:
    content = make_image(size=(1, 1))
    settings.UPLOAD_MAX_BYTES = len(content)
    reencode(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code_of(content) == "too_large"
