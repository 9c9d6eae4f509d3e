"""Mutate images at random, and decode each in a process of its own.

End with an error if one breaks a limit. Arguments: the path of decoder.py, a seed, and
the number of files. It runs alone, so that it can fork.
"""

import os
import runpy
import signal
import struct
import sys
import time
from collections import Counter
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random
from resource import struct_rusage

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image, ImageCms

from tests.support.corpus import animated, exif, in_jpeg, in_png, profile_chunk
from tests.support.images import camera_file, encode, landscape

MARKER = "MALICIOUS-MARKER"
LIMITS = ["0", "3", str(2**30), "50000000", "2000", "480"]
HEADER = struct.Struct(">4I")
ERRORS = {"too_many_pixels", "animated", "unknown_colors", "damaged", "too_much_memory"}
KILLED = signal.SIGXCPU
SECONDS = 3.3
KILOBYTES = 2**20
# A busy machine gets through fewer files.
TIME_LIMIT = 300


def originals() -> list[bytes]:
    """Return files of all formats and modes, with metadata."""
    photo = landscape(1, (320, 240))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    modes = {"RGB": photo, "L": photo.convert("L"), "CMYK": photo.convert("CMYK")}
    jpegs = [
        encode(image, icc_profile=profile, progressive=way, comment=MARKER.encode())
        for image in modes.values()
        for way in (False, True)
    ]
    pngs = [
        encode(photo.convert(mode), "PNG", icc_profile=profile)
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")
    ]
    webps = [
        encode(photo, "WEBP", lossless=way, xmp=MARKER.encode(), icc_profile=profile)
        for way in (False, True)
    ]
    tags = exif((0x0112, 3, 1, 6), (0x8769, 4, 1, 8))
    return [
        *jpegs,
        *pngs,
        *webps,
        camera_file(photo, MARKER, 6),
        in_jpeg((0xE1, b"Exif\0\0" + tags)),
        in_png(profile_chunk(b"x\x9c" + bytes(99))),
        *(animated(form) for form in ("MPO", "PNG", "WEBP")),
    ]


def mutate(content: bytes, other: bytes, random: Random) -> bytes:
    """Return a file with a few changes."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        # Most of what decoders interpret stands at the start.
        at = random.randrange(min(len(data), random.choice((64, 1024, len(data)))))
        size = random.choice((1, 2, 4, 16, 256))
        match random.randrange(6):
            case 0:
                data[at] ^= 1 << random.randrange(8)
            case 1:
                data[at : at + size] = (
                    random.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * size
                )
            case 2:
                data[at : at + size] = random.randbytes(size)
            case 3:
                data[at:at] = data[at : at + size] * random.choice((1, 3, 100))
            case 4:
                del data[at : at + size]
            case _:
                data[at : at + size] = other[at : at + size]
        if not data:
            return content[:1]
    if random.random() < 0.1:
        del data[random.randrange(1, len(data) + 1) :]
    return bytes(data)


def decode(
    decoder: dict[str, object], content: bytes
) -> tuple[int, struct_rusage, bytes]:
    """Decode in a new process; return how it ended, what it took, and its answer."""
    reader, writer = os.pipe()
    if pid := os.fork():
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        _, status, usage = os.wait4(pid, 0)
        return os.waitstatus_to_exitcode(status), usage, answer
    sys.argv = ["decoder.py", str(os.getppid()), *LIMITS]
    sys.stdin = TextIOWrapper(BytesIO(content))
    sys.stdout = TextIOWrapper(os.fdopen(writer, "wb"))
    decoder["main"]()  # type: ignore[operator]
    sys.stdout.flush()
    os._exit(0)


def judge(code: int, usage: struct_rusage, answer: bytes) -> tuple[str, str]:
    """Return the outcome, and what is wrong about it."""
    wrong = ""
    if usage.ru_utime + usage.ru_stime > SECONDS or usage.ru_maxrss > KILOBYTES:
        wrong = f"took {usage.ru_utime + usage.ru_stime:.1f} s, {usage.ru_maxrss} KiB"
    if code == -KILLED:
        return "too_slow", wrong
    if code:
        return "crashed", f"ended with {code}"
    if len(answer) == HEADER.size:
        error = answer.decode().rstrip()
        return error, wrong if error in ERRORS else "unknown error"
    _, _, *lengths = HEADER.unpack_from(answer)
    files = answer[HEADER.size :]
    if sum(lengths) != len(files):
        wrong = "wrong lengths"
    for file in (files[: lengths[0]], files[lengths[0] :]):
        image = Image.open(BytesIO(file))
        image.load()
        if MARKER.encode() in file or not set(image.info) <= {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
        }:
            wrong = "kept metadata"
    return "accepted", wrong


def main(path: str, seed: str, count: str) -> None:
    """Print the number of each outcome, and the files that broke a limit."""
    random = Random(int(seed))  # noqa: S311
    decoder = runpy.run_path(path)
    outcomes = Counter[str]()
    failures = 0
    files = originals()
    deadline = time.monotonic() + TIME_LIMIT
    for number in range(int(count)):
        if time.monotonic() > deadline:
            break
        original = random.choice(files)
        content = mutate(original, random.choice(files), random)
        outcome, wrong = judge(*decode(decoder, content))
        outcomes[outcome] += 1
        if wrong:
            failures += 1
            Path(f"/tmp/fuzz-{seed}-{number}").write_bytes(content)  # noqa: S108
            print(f"file {number}: {outcome}, {wrong}")  # noqa: T201
    print(dict(outcomes))  # noqa: T201
    sys.exit(bool(failures))


if __name__ == "__main__":
    main(*sys.argv[1:])
