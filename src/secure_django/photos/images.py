"""Upload validation: an untrusted file is checked, and then re-encoded as JPEG.

A process of its own decodes and encodes the image.
"""

import logging
import math
import os
import platform
import re
import struct
import subprocess
import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Timer
from typing import Any, BinaryIO, NamedTuple

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError
from django.template.defaultfilters import floatformat
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from secure_django.photos.purposes import Purpose

__all__ = ["retry_after", "upload_error"]

# The accepted formats: how their files start, and how many pixels they may have unless
# UPLOAD_MAX_PIXELS is set. The worst of such images takes 2 seconds, and 750 MB as
# JPEG, 850 MB as WebP.
FORMATS = {
    "image/jpeg": (rb"\xff\xd8", 65_000_000),
    "image/png": (rb"\x89PNG\r\n\x1a\n", 50_000_000),
    "image/webp": (rb"RIFF.{4}WEBP", 50_000_000),
}
# Other formats of cameras and phones: how their files start, and advice.
OTHER_FORMATS = {
    rb".{4}ftyp.{0,40}avi[fs]": _("This is an AVIF file: export the photo as JPEG."),
    rb".{4}ftyp.{0,40}(hei|hev|mif1)": _(
        "This is a HEIC file: choose Most Compatible in the camera's settings, "
        "or export the photo as JPEG."
    ),
    rb".{4}ftypcrx|II[*RU]|MM(\0\*|OR)|FUJIFILM": _(
        "This is a RAW or TIFF file: export the photo as JPEG."
    ),
    rb"GIF8": _("This is a GIF file: save a single frame as PNG."),
}
VARIANTS = {"display": 2000, "thumbnail": 480}  # the longest edge of each, in pixels
JPEG_START = b"\xff\xd8\xff"

DECODER = Path(__file__).with_name("decoder.py")
# Limits of a decoder process.
CPU_SECONDS = 3
# On a busy machine, a photo waits for the processor far longer than it uses it, since
# pages go first. Together with WAIT_SECONDS, the limit is below a proxy's timeout (60).
WALL_SECONDS = 40
# When the upload has to be decoded, by time.monotonic().
decoding_ends_at: ContextVar[float] = ContextVar("decoding_ends_at", default=math.inf)
MEMORY_BYTES = 1024**3
# The answer of a decoder starts with the width and height of the first variant and the
# length of each file, or with the code of an error, padded with spaces.
ANSWER = struct.Struct(">4I")
DECODER_CODES = (
    "too_many_pixels",
    "animated",
    "unknown_colors",
    "damaged",
    "too_much_memory",
    "unconfined",
)
DECODER_ERRORS = {code.ljust(ANSWER.size).encode(): code for code in DECODER_CODES}
INCOMPLETE = ""  # an answer that ends early
# Numbers, since Windows lacks the names.
SIGKILL = 9
SIGXCPU = 24  # at the CPU limit
# Exit codes of a decoder that something else ended: Ctrl-C, the wall clock, the stop of
# its service, and the wall clock on Windows. Without the wall clock, -SIGKILL is the
# kernel's answer to a lack of memory.
INTERRUPTED = {-2, -SIGKILL, -15, SIGKILL}
# The row of LastRun that `manage.py status` reads.
LACK_OF_MEMORY = "decoder without memory"
# Retry-After of a busy site; upload.js obeys no longer time.
RETRY_SECONDS = 10

logger = logging.getLogger(__name__)

ERROR_MESSAGES = {
    "missing": _("Choose a photo."),
    "empty": _("This file is empty. Choose another one."),
    "too_large": _(
        "This file is too large. The limit is {megabytes} MB. "
        "Save a smaller copy and try again."
    ),
    "unsupported_type": _("Only JPEG, PNG and WebP photos are accepted. {advice}"),
    "animated": _("Animations are not accepted. Save a single frame and try again."),
    "too_many_pixels": _(
        "This photo has too many pixels. The limit is {megapixels} megapixels. "
        "Make it smaller."
    ),
    "unknown_colors": _(
        "The colors of this PNG cannot be converted. "
        "Export the photo as JPEG or with sRGB colors."
    ),
    "damaged": _(
        "This file is damaged and cannot be read. Save the photo again and retry."
    ),
    "too_much_memory": _(
        "This photo takes too much memory to process. "
        "Save a smaller copy as JPEG and try again."
    ),
    "too_slow": _(
        "This photo takes too long to process. "
        "Save a smaller copy as JPEG and try again."
    ),
    "crashed": _(
        "This photo cannot be processed. "
        "Open it in an image editor, save it as JPEG and try again."
    ),
    "quota": _(
        "You have reached the limit of photos in one hour: {photos}. Try again later."
    ),
    "budget": _("Your photos took much time to process. Try again in {minutes} min."),
    "in_progress": _(
        "Another photo of yours is still being processed. Try again in a few seconds."
    ),
    "busy": _("The site is busy. Try again in a few seconds."),
    "unavailable": _("Uploads are unavailable at the moment. Try again in a minute."),
    "storage_full": _(
        "There is no space for new photos at the moment. Try again later."
    ),
}


class ReencodedImage(NamedTuple):
    """JPEG bytes by variant, and the size of the `display` variant in pixels."""

    files: dict[str, bytes]
    width: int
    height: int


@dataclass
class NewPhoto:
    """An uploaded file for a photo, and its image once it is decoded."""

    file: UploadedFile
    purpose: Purpose
    image: ReencodedImage | None = None


def upload_error(
    code: str, *, retry_after: int = 0, **values: object
) -> ValidationError:
    """Return the error for a code of ERROR_MESSAGES.

    The error passes after `retry_after` seconds, or never (0).
    """
    megabytes = floatformat(settings.UPLOAD_MAX_BYTES / 1024**2)
    message = ERROR_MESSAGES[code].format(megabytes=megabytes, **values)
    return ValidationError(message, code=code, params={"retry_after": retry_after})


def retry_after(error: ValidationError) -> int:
    """Return after how many seconds the error has passed, 0 if it does not pass."""
    params = error.params or {}
    return int(params.get("retry_after", 0))


def validate_and_reencode(
    content: bytes, used: list[float] | None = None
) -> ReencodedImage:
    """Return a new image of the file's pixels, or refuse it with an `upload_error`."""
    max_pixels = check_file(content)
    answer = run_decoder(content, max_pixels, used)
    if isinstance(answer, ReencodedImage):
        return answer
    if answer == "unconfined":
        logger.error(
            "uploads are refused: the kernel does not confine the decoder on %s; "
            "run Linux with seccomp, in an image for this machine's processor",
            platform.platform(),
        )
        raise upload_error("unavailable", retry_after=60)
    raise upload_error(answer, megapixels=floatformat(max_pixels / 1_000_000))


def check_file(content: bytes) -> int:
    """Refuse a file that is no photo, whatever its name.

    Return how many pixels a photo of its format may have.
    """
    if not content:
        raise upload_error("empty")
    if len(content) > settings.UPLOAD_MAX_BYTES:
        raise upload_error("too_large")
    for signature, max_pixels in FORMATS.values():
        if re.match(signature, content, re.DOTALL):
            return int(settings.UPLOAD_MAX_PIXELS or max_pixels)
    raise upload_error("unsupported_type", advice=advice_for(content))


def advice_for(content: bytes) -> str:
    """Return what the owner of a file in another format can do."""
    for signature, advice in OTHER_FORMATS.items():
        if re.match(signature, content, re.DOTALL):
            return str(advice)
    return str(_("Save the photo in one of these formats."))


def run_decoder(
    content: bytes, max_pixels: int, used: list[float] | None = None
) -> ReencodedImage | str:
    """Return the image, or the code of an error, from a new decoder process.

    Append the process's seconds of CPU time to `used`; on Windows, the elapsed seconds.
    """
    started = time.monotonic()
    late = Event()  # by the wall clock
    with start_decoder(max_pixels) as decoder:
        stdin: Any = decoder.stdin
        stdout: Any = decoder.stdout
        seconds_left = max(0, min(WALL_SECONDS, decoding_ends_at.get() - started))
        timer = Timer(seconds_left, partial(kill_late_decoder, decoder, late))
        timer.start()
        with suppress(BrokenPipeError), stdin:  # it died: its exit code says how
            stdin.write(content)
        answer = read_answer(stdout)
        if answer is None:
            kill_decoder(decoder)
        seconds = wait_for_end(decoder, started)
    timer.cancel()
    is_interrupted = decoder.returncode in INTERRUPTED and answer is not None
    if used is not None:
        # Even a decoder that used no CPU time kept others waiting.
        used.append(max(seconds, 1) if is_interrupted else seconds)
    if decoder.returncode == -SIGXCPU:
        raise upload_error("too_slow")
    if decoder.returncode or not answer:
        logger.warning("the decoder ended with code %d", decoder.returncode)
        if not is_interrupted:
            raise upload_error("crashed")
        raise interruption_error(decoder.returncode, late.is_set())
    return answer


def interruption_error(exit_code: int, is_late: bool) -> ValidationError:
    """Return the error of a photo whose decoder something else ended."""
    if exit_code == -SIGKILL and not is_late:
        report_lack_of_memory()
        # Not "busy": it would fail again, and a smaller photo takes less.
        return upload_error("too_much_memory")
    return upload_error("busy", retry_after=RETRY_SECONDS)


def start_decoder(max_pixels: int) -> subprocess.Popen[bytes]:
    """Start a process that gets nothing of this one but the limits."""
    arguments = [
        os.getpid(),
        int(settings.DECODER_MAY_BE_UNCONFINED),
        CPU_SECONDS,
        MEMORY_BYTES,
        max_pixels,
        *VARIANTS.values(),
    ]
    environment: dict[str, str] = {}
    if os.name == "nt":
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    return subprocess.Popen(  # noqa: S603  # no argument comes from the upload
        [sys.executable, "-I", str(DECODER), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )


def kill_decoder(decoder: subprocess.Popen[bytes]) -> None:
    """Kill a decoder, unless it was reaped: another process can have its id.

    Not by decoder.kill, which would reap a process that has just ended: wait4 could no
    longer return its CPU time.
    """
    if decoder.returncode is None:
        os.kill(decoder.pid, SIGKILL)


def kill_late_decoder(decoder: subprocess.Popen[bytes], late: Event) -> None:
    late.set()
    kill_decoder(decoder)


def report_lack_of_memory() -> None:
    """Tell the operator, whom nobody else tells: the visitor sends a smaller photo."""
    logger.error(
        "the kernel killed a decoder, which it does for lack of memory: a decoder takes"
        " up to %d MiB beside the web process that starts it",
        MEMORY_BYTES // 1024**2,
    )
    # Settings can import this module, before there are models.
    last_run = apps.get_model("secure_django", "LastRun")
    try:
        last_run.objects.update_or_create(
            name=LACK_OF_MEMORY, defaults={"at": timezone.now()}
        )
    except DatabaseError:
        logger.exception("the lack of memory was not stored")


def wait_for_end(decoder: subprocess.Popen[bytes], started: float) -> float:
    """Return a decoder's seconds of CPU time; on Windows, the elapsed seconds."""
    if sys.platform == "win32":
        decoder.wait()
        return time.monotonic() - started
    _, status, usage = os.wait4(decoder.pid, 0)  # of this child alone
    decoder.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def read_answer(stream: BinaryIO) -> ReencodedImage | str | None:
    """Return the image, or the code of the decoder's error.

    Return INCOMPLETE for an answer that ends early, None for any other. The answer is
    untrusted, since an attacker may control the decoder.
    """
    header = stream.read(ANSWER.size)
    if len(header) < ANSWER.size:
        return INCOMPLETE
    answer = DECODER_ERRORS.get(header) or read_image(header, stream)
    if answer and stream.read(1):
        return None
    return answer


def read_image(header: bytes, stream: BinaryIO) -> ReencodedImage | str | None:
    """Return the image of an answer. Lengths are checked before anything is read."""
    width, height, *lengths = ANSWER.unpack(header)
    if not all(0 < size <= VARIANTS["display"] for size in (width, height)):
        return None
    edges = VARIANTS.values()
    # As JPEG, even noise takes less than a byte for each pixel.
    if any(length > edge**2 for length, edge in zip(lengths, edges, strict=True)):
        return None
    files = [stream.read(length) for length in lengths]
    if [len(file) for file in files] != lengths:
        return INCOMPLETE
    if not all(file.startswith(JPEG_START) for file in files):
        return None
    files_by_variant = dict(zip(VARIANTS, files, strict=True))
    return ReencodedImage(files_by_variant, width, height)
