"""Upload validation."""

import json
import os
import platform
import select
import struct
import subprocess
import sys
import time
import zlib
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pytest
from django.core.checks import Tags, run_checks
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.utils import timezone
from PIL import ExifTags, Image, ImageChops, ImageCms
from pytest_django import Settings

from secure_django.models import LastRun
from secure_django.photos import decoder, images
from secure_django.photos.checks import WEBP
from secure_django.photos.images import (
    ReencodedImage,
    retry_after,
    run_decoder,
    validate_and_reencode,
)
from secure_django.photos.status import check_memory
from secure_django.testing import HANG_SECONDS, MakeImage
from secure_django.testing.photos import read_image

FILE = b"\xff\xd8\xff file"
# What a decoder could answer.
ANSWER = decoder.ANSWER.pack(1, 1, len(FILE), len(FILE)) + FILE + FILE
# A black pixel, a white one, and so on.
STRIPES = Image.frombytes("1", (4000, 8), b"\xaa" * 4000)
# Code that confines itself like the decoder, and then tries what an attacker would.
PROBE = (
    f"""
DECODER, FILE = {str(images.DECODER)!r}, {__file__!r}
"""
    r"""
import json, os, resource, runpy, socket, sys
decoder, parent = runpy.run_path(DECODER), os.getppid()

def succeeds(attempt):
    try:
        attempt()
    except (OSError, MemoryError):
        return False
    return True

print("not for the log of the site", file=sys.stderr)
variables = [name for name in os.environ if name != "LC_CTYPE"]
process = [os.getcwd(), sys.flags.isolated, variables]
attempts = {
    "memory": lambda: bytearray(2**28),
    "files": lambda: open(FILE),
    "network": socket.socket,
    "other processes": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
    "signals": lambda: os.kill(parent, 0),
    "new processes": lambda: os.waitpid(
        os.posix_spawn(sys.executable, ["python", "-c", ""], {}), 0
    ),
}
before = [name for name, attempt in attempts.items() if succeeds(attempt)]
confined = decoder["confine"](*map(int, sys.argv[3:5]))
after = [name for name, attempt in attempts.items() if succeeds(attempt)]
report = [process, before, confined, after]
file = b"\xff\xd8\xff" + json.dumps(report).encode()
answer = decoder["ANSWER"].pack(1, 1, len(file), len(file)) + file + file
sys.stdout.buffer.write(answer)
"""
)


def code_of(content: bytes) -> str:
    with pytest.raises(ValidationError) as error:
        validate_and_reencode(content)
    return str(error.value.code)


def with_declared_size(content: bytes, width: int, height: int) -> bytes:
    """Return a small PNG whose header declares other dimensions."""
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    checksum = struct.pack(">I", zlib.crc32(header))
    return content[:12] + header + checksum + content[33:]


@pytest.mark.control("V5.2.2")
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "MPO"])
def test_accepted_photo_is_reencoded_as_jpeg(make_image: MakeImage, name: str) -> None:
    photo = validate_and_reencode(make_image(name, size=(3000, 1500)))
    assert (photo.width, photo.height) == (2000, 1000)
    for variant, size in {"display": (2000, 1000), "thumbnail": (480, 240)}.items():
        image = read_image(photo.files[variant])
        assert (image.format, image.size) == ("JPEG", size)


@pytest.mark.control("V5.2.2")
def test_metadata_and_trailing_bytes_are_removed(make_image: MakeImage) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "marker"
    exif[ExifTags.Base.GPSInfo] = {1: "N", 2: (48.0, 8.0, 1.0)}
    content = (
        make_image(exif=exif, comment=b"<?php marker ?>", icc_profile=b"marker" * 30)
        + b"PK\x03\x04 marker"
    )
    for out in validate_and_reencode(content).files.values():
        assert b"marker" not in out
        assert not read_image(out).getexif()
        assert set(read_image(out).info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
        }


def test_photo_is_rotated_and_transparency_becomes_white(make_image: MakeImage) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    encoded = validate_and_reencode(make_image(exif=exif))
    assert encoded.width == 48
    assert encoded.height == 64
    clear = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    out = read_image(validate_and_reencode(clear.getvalue()).files["display"])
    assert out.getpixel((4, 4)) == (255, 255, 255)
    # A quality of 80 is off by 5 levels.
    gradient = Image.merge("HSV", [Image.linear_gradient("L")] * 3).convert("RGB")
    gradient.save(lossless := BytesIO(), "PNG")
    out = read_image(validate_and_reencode(lossless.getvalue()).files["display"])
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
def test_every_mode_keeps_its_shades(
    image: Image.Image, options: dict[str, Any], shade: int
) -> None:
    image.save(file := BytesIO(), "PNG", **options)
    out = read_image(validate_and_reencode(file.getvalue()).files["display"])
    middle = out.getpixel((out.width // 2, out.height // 2))
    assert middle == pytest.approx((shade,) * 3, abs=3)


def test_color_profile_is_applied_or_ignored_if_broken(make_image: MakeImage) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # With the tags of the red and green primaries swapped, the file's red means green.
    swapped = (
        profile.replace(b"rXYZ", b"????")
        .replace(b"gXYZ", b"rXYZ")
        .replace(b"????", b"gXYZ")
    )
    Image.new("RGB", (8, 8), "red").save(file := BytesIO(), "PNG", icc_profile=swapped)
    out = read_image(validate_and_reencode(file.getvalue()).files["display"])
    difference = ImageChops.difference(out, Image.new("RGB", (8, 8), "lime"))
    assert max(difference.tobytes()) < 10
    validate_and_reencode(make_image(icc_profile=profile[:200]))
    validate_and_reencode(make_image(mode="L", icc_profile=profile))


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
        validate_and_reencode(content)
    assert error.value.code == "unsupported_type"


@pytest.mark.parametrize(
    ("colors", "code"), [(b"\1\x0d\0\1", ""), (b"\x0c\x0d\0\1", "unknown_colors")]
)
def test_png_with_colors_by_number_is_refused_unless_they_are_srgb(
    colors: bytes, code: str, make_image: MakeImage
) -> None:
    content = make_image("PNG")
    chunk = b"cICP" + colors
    length = struct.pack(">I", 4)
    checksum = struct.pack(">I", zlib.crc32(chunk))
    content = content[:33] + length + chunk + checksum + content[33:]
    assert code_of(content) == code if code else validate_and_reencode(content)


@pytest.mark.control("V5.2.2")
def test_damaged_files_and_animations_are_refused(make_image: MakeImage) -> None:
    assert code_of(b"") == "empty"
    whole = make_image(size=(640, 480))
    assert code_of(whole[: len(whole) // 2]) == "damaged"
    assert code_of(whole[:20]) == "damaged"
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}
    for file_format in ("PNG", "WEBP"):
        assert code_of(make_image(file_format, **frames)) == "animated"


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_without_its_end_marker_is_shown_as_browsers_do(
    progressive: bool, make_image: MakeImage
) -> None:
    whole = make_image(size=(640, 480), progressive=progressive)
    assert whole.endswith(decoder.JPEG_END)
    photo = validate_and_reencode(whole)
    assert validate_and_reencode(whole[:-1]) == photo
    assert validate_and_reencode(whole[:-2]) == photo


@pytest.mark.control("V5.2.6")
def test_decompression_bomb_is_refused_before_decoding(
    make_image: MakeImage, settings: Settings
) -> None:
    settings.UPLOAD_MAX_PIXELS = 0
    assert (
        code_of(with_declared_size(make_image("PNG"), 60_000, 60_000))
        == "too_many_pixels"
    )
    for file_format, megapixels in {"JPEG": 65, "PNG": 50, "WEBP": 50}.items():
        assert images.check_file(make_image(file_format)) == megapixels * 1_000_000
    # Pillow could not reserve memory for them.
    for first_chunk in (
        b"VP8X" + bytes(8) + b"\xff\xff\x3f" * 2,
        b"VP8L" + bytes(5) + b"\xff\xff\xff\x0f",
        b"VP8 " + bytes(10) + b"\xff\x3f" * 2,
    ):
        assert code_of(b"RIFF....WEBP" + first_chunk) == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 64 * 48
    for file_format in ("JPEG", "PNG", "WEBP"):
        validate_and_reencode(make_image(file_format))
    validate_and_reencode(make_image("WEBP", lossless=True))
    settings.UPLOAD_MAX_PIXELS -= 1
    assert code_of(make_image("PNG")) == "too_many_pixels"
    settings.UPLOAD_MAX_PIXELS = 7_000_000
    with pytest.raises(ValidationError, match=r"\b7 megapixels"):
        validate_and_reencode(make_image(size=(3000, 3000)))


@pytest.mark.control("V5.2.6")
def test_image_that_takes_too_much_time_is_refused(
    make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "WALL_SECONDS", HANG_SECONDS)
    content = make_image(size=(4000, 4000), mode="L", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    with monkeypatch.context() as patch:
        patch.setattr(images, "CPU_SECONDS", 1)
        assert code_of(content[:-2] + scan * 300 + content[-2:]) == "too_slow"
    # Arithmetic coding takes even longer, and no camera uses it.
    assert code_of(content.replace(b"\xff\xc2", b"\xff\xca", 1)) == "damaged"
    assert code_of(make_image().replace(b"\xff\xc0", b"\xff\xc9", 1)) == "damaged"


@pytest.mark.control("V5.2.6")
@pytest.mark.skipif(
    sys.platform != "linux", reason="Only Linux limits the address space."
)
def test_image_that_takes_too_much_memory_is_refused(
    make_image: MakeImage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.UPLOAD_MAX_PIXELS = 50_000_000
    monkeypatch.setattr(images, "MEMORY_BYTES", 2**27)
    assert (
        code_of(with_declared_size(make_image("PNG"), 7000, 7000)) == "too_much_memory"
    )


@pytest.mark.control("V15.2.5")
@pytest.mark.parametrize(
    ("script", "code"),
    [
        (f"write({ANSWER!r}); sys.stdout.flush(); os.abort()", "crashed"),
        (f"write({ANSWER!r})\nwhile True: write(bytes(2**20))", "crashed"),
        (f"time.sleep({HANG_SECONDS})", "busy"),
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
    # The clock ends only the last one.
    monkeypatch.setattr(images, "WALL_SECONDS", 1 if code == "busy" else HANG_SECONDS)
    images.DECODER.write_text(
        f"import os, sys, time\nwrite = sys.stdout.buffer.write\n{script}",
        encoding="utf-8",
    )
    assert code_of(make_image()) == code
    assert "the decoder ended with code" in caplog.text


@pytest.mark.control("V15.2.2")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals.")
@pytest.mark.parametrize(
    ("signal", "code"),
    [
        ("TERM", "busy"),
        ("INT", "busy"),
        ("SEGV", "crashed"),
        ("BUS", "crashed"),
        ("SYS", "crashed"),
    ],
)
def test_photo_is_not_to_blame_for_a_decoder_that_others_end(
    signal: str,
    code: str,
    make_image: MakeImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    script = f"time.sleep(0.5)\nos.kill(os.getpid(), signal.SIG{signal})\ntime.sleep(9)"
    # A shell lets its jobs in the background ignore SIGINT.
    script = (
        "import os, signal, time\n"
        f"signal.signal(signal.SIGINT, signal.SIG_DFL)\n{script}"
    )
    images.DECODER.write_text(script, encoding="utf-8")
    content = make_image()
    used_seconds = list[float]()
    started = time.monotonic()
    with pytest.raises(ValidationError) as error:
        validate_and_reencode(content, used_seconds)
    seconds = time.monotonic() - started
    assert error.value.code == code
    assert retry_after(error.value) == (10 if code == "busy" else 0)
    # Only the CPU time counts, but at least a second for a decoder without a result.
    if code == "busy":
        assert used_seconds == [1]
    else:
        assert 0 < used_seconds[0] < seconds - 0.5


@pytest.mark.control("V15.2.2")
@pytest.mark.control("status")
@pytest.mark.django_db
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals.")
def test_lack_of_memory_is_told_to_operator_and_visitor(
    make_image: MakeImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert check_memory().is_fine
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    images.DECODER.write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", encoding="utf-8"
    )
    used_seconds = list[float]()
    with pytest.raises(ValidationError, match="Save a smaller copy") as error:
        validate_and_reencode(make_image(), used_seconds)
    # It would fail again, so the browser does not send it again.
    assert (error.value.code, retry_after(error.value)) == ("too_much_memory", 0)
    assert used_seconds == [1]
    assert "killed a decoder, which it does for lack of memory" in caplog.text
    assert "up to 1024 MiB" in caplog.text
    is_fine, text, advice = check_memory()
    assert not is_fine
    assert "killed for lack of memory at" in text
    assert "1.5 GB" in advice
    LastRun.objects.update(at=timezone.now() - timedelta(hours=25))
    assert check_memory().is_fine


def test_lack_of_memory_without_a_database_fails_no_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        LastRun.objects, "update_or_create", Mock(side_effect=OperationalError)
    )
    images.report_lack_of_memory()
    assert "the lack of memory was not stored" in caplog.text


@pytest.mark.control("V15.2.5")
def test_clock_kills_no_other_process_after_an_error(
    make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "Timer", timer := Mock())
    monkeypatch.setattr(images, "DECODER", "missing")  # ends at once
    monkeypatch.setattr(images, "read_answer", Mock(side_effect=MemoryError))
    monkeypatch.setattr("os.kill", kill := Mock())
    with pytest.raises(MemoryError):
        run_decoder(make_image(), 1)
    _, end_decoder = timer.call_args.args
    end_decoder()
    assert not kill.called


def with_header(*numbers: int) -> bytes:
    return decoder.ANSWER.pack(*numbers) + ANSWER[decoder.ANSWER.size :]


@pytest.mark.control("V15.2.5")
def test_answer_of_a_decoder_is_not_trusted() -> None:
    size = len(FILE)
    large_file = FILE + bytes(480**2)
    for answer in (
        *(b"", b"animated", b"busy".ljust(16), b"animated".ljust(17)),
        *(
            ANSWER[:15],
            ANSWER[:-1],
            ANSWER + b".",
            ANSWER.replace(b"\xff\xd8\xff", b"<a>"),
        ),
        *(with_header(0, 1, size, size), with_header(1, 2001, size, size)),
        *(with_header(1, 1, 2 * size, 0), with_header(1, 1, 2**32 - 1, 2**32 - 1)),
        decoder.ANSWER.pack(1, 1, size, len(large_file)) + FILE + large_file,
    ):
        assert not images.read_answer(BytesIO(answer))
    assert images.read_answer(BytesIO(b"animated".ljust(16))) == "animated"
    assert images.read_answer(BytesIO(ANSWER)) == (
        {"display": FILE, "thumbnail": FILE},
        1,
        1,
    )


@pytest.mark.control("V15.2.5")
@pytest.mark.skipif(
    sys.platform != "linux", reason="Other systems cannot confine a process."
)
def test_decoder_has_no_secrets_files_network_or_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert images.MEMORY_BYTES <= 2**30
    monkeypatch.setattr(images, "MEMORY_BYTES", 2**28)
    monkeypatch.setattr(images, "DECODER", tmp_path / "probe.py")
    images.DECODER.write_text(PROBE, encoding="utf-8")
    monkeypatch.setenv("A_SECRET", "secret")
    answer = run_decoder(b"", 1)
    assert isinstance(answer, ReencodedImage)
    process, before, confined, after = json.loads(
        answer.files["display"].removeprefix(b"\xff\xd8\xff")
    )
    assert process == ["/", 1, []]
    assert confined is True
    assert after == []
    assert before == [
        "memory",
        "files",
        "network",
        "other processes",
        "signals",
        "new processes",
    ]
    assert capfd.readouterr() == ("", "")


@pytest.mark.control("V15.2.5")
@pytest.mark.skipif(
    sys.platform != "linux", reason="Other systems do not end a process with another."
)
def test_decoder_ends_with_the_process_that_started_it() -> None:
    script = (
        "import os, subprocess, sys\n"
        f"command = [sys.executable, '-I', {str(images.DECODER)!r}, str(os.getpid())]\n"
        "subprocess.Popen([*command, '1', '3', '0', '1', '1', '1'])\n"
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        # The decoder waits for a file. Its output is closed once it has ended too.
        ended, _, _ = select.select([parent.stdout], [], [], HANG_SECONDS)
        assert ended, "the decoder did not end"


@pytest.mark.control("V15.2.2")
@pytest.mark.skipif(
    sys.platform != "linux", reason="Others forget the niceness of an ended process."
)
def test_decoder_leaves_a_busy_processor_to_pages() -> None:
    command = [sys.executable, "-I", str(images.DECODER), str(os.getpid())]
    with subprocess.Popen(
        [*command, "0", "3", "0", "1", "1", "1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        # It has ended, and is not collected yet.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        niceness = os.getpriority(os.PRIO_PROCESS, process.pid)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness == min(own + decoder.NICENESS, 19)  # the system's limit


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return a C library whose calls only succeed; limits are not set either."""
    library = Mock(**{"prctl.return_value": 0, "syscall.return_value": 0})
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("resource.setrlimit", library.setrlimit)
    return library


@pytest.mark.control("V15.2.5")
@pytest.mark.skipif(
    sys.platform != "linux", reason="Other systems cannot confine a process."
)
@pytest.mark.parametrize(
    ("machine", "failing", "landlock", "confined"),
    [
        ("x86_64", 0, 0, True),
        ("aarch64", 0, 0, True),
        ("x86_64", 38, 7, False),
        ("x86_64", 22, 5, False),
        ("x86_64", 22, 6, False),
        ("riscv64", 0, 0, False),
        ("riscv64", 0, 5, False),
        ("riscv64", 0, 6, True),
    ],
)
def test_decoder_knows_whether_it_is_confined(
    machine: str,
    failing: int,
    landlock: int,
    confined: bool,
    libc: Mock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("os.uname", lambda: Mock(machine=machine))
    libc.prctl.side_effect = lambda option, *args: -(option == failing)
    libc.syscall.side_effect = [landlock, 9, 0]
    assert decoder.confine(1, 2**28) is confined
    limits = {
        "CPU": (1, 2),
        "AS": (2**28, 2**28),
        **dict.fromkeys(["NPROC", "FSIZE", "CORE", "NOFILE"], (0, 0)),
    }
    assert libc.setrlimit.mock_calls == [
        call(getattr(resource, f"RLIMIT_{name}"), it) for name, it in limits.items()
    ]


@pytest.mark.control("V15.2.5")
def test_unconfined_decoder_refuses_in_production(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = (
        "import runpy, sys\nsys.platform = 'other'\n"
        f"runpy.run_path({str(images.DECODER)!r}, run_name='__main__')"
    )
    monkeypatch.setattr(images, "DECODER", tmp_path / "decoder.py")
    images.DECODER.write_text(script, encoding="utf-8")
    settings.DECODER_MAY_BE_UNCONFINED = False
    checks = partial(run_checks, tags=[Tags.security], include_deployment_checks=True)
    assert "secure_django.W202" in [message.id for message in checks()]
    messages = run_checks(tags=[Tags.security])
    assert "secure_django.W202" not in [message.id for message in messages]
    assert f"does not confine the decoder on {platform.platform()}" in caplog.text
    with pytest.raises(ValidationError) as error:
        validate_and_reencode(WEBP)
    assert error.value.code == "unavailable"
    assert retry_after(error.value) == 60
    settings.DECODER_MAY_BE_UNCONFINED = True
    assert "secure_django.W202" not in [message.id for message in checks()]


@pytest.mark.control("V5.2.1")
def test_size_limit_is_exact(make_image: MakeImage, settings: Settings) -> None:
    content = make_image(size=(1, 1))
    settings.UPLOAD_MAX_BYTES = len(content)
    validate_and_reencode(content)
    settings.UPLOAD_MAX_BYTES = len(content) - 1
    assert code_of(content) == "too_large"
