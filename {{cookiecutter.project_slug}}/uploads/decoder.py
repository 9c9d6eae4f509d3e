"""Decode one untrusted image and encode it as JPEG, in a process of its own.

`images.py` starts the process. The arguments are whether it may be unconfined (0 or 1),
and the limits: CPU seconds, bytes of memory, pixels, and the longest edge of each
variant in pixels. The image comes by standard input. The answer on standard output is
the code of an error, filled up with blanks to 16 bytes, or `ANSWER`: the size of the
first variant and the length of each file, followed by the files. This module imports
nothing of the project, so that its process holds nothing worth stealing.
"""

import errno
import os
import struct
import sys
import warnings
from contextlib import suppress
from io import BytesIO
from typing import Any

# Pillow imports it to read EXIF data, when files are no longer accessible.
import PIL.TiffImagePlugin  # noqa: F401
from PIL import (
    Image,
    ImageCms,
    ImageFile,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

# Only these parsers, by the first byte: Pillow has forty more, each with
# vulnerabilities of its own.
PARSERS: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff": JpegImagePlugin.JpegImageFile,
    b"\x89": PngImagePlugin.PngImageFile,
    b"R": WebPImagePlugin.WebPImageFile,
}
ANSWER = struct.Struct(">4I")
# The colors of a PNG by number (cICP): sRGB's primaries and transfer, RGB itself, full
# range.
SRGB = b"\x01\x0d\x00\x01"
# The system calls that computing and answering take, with their numbers on x86-64 and
# on 64-bit ARM. All others are refused. `scmp_sys_resolver -a aarch64 write` prints a
# number.
SYSTEM_CALLS = {
    "write": (1, 64),  # the answer
    "mmap": (9, 222),  # memory, as the next five
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "rt_sigaction": (13, 134),  # Python's own end
    "rt_sigreturn": (15, 139),  # after a signal
    "futex": (202, 98),  # locks
    "clock_gettime": (228, 113),  # where the kernel does not offer it without a call
    "exit_group": (231, 94),
    "getrandom": (318, 278),  # the C library's memory allocator
}
# How the kernel names the architecture of a call (AUDIT_ARCH), and the place of its
# numbers above, by `uname -m`.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
# Options of prctl().
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class RefusedError(Exception):
    """An image that is not accepted. The argument is the code of the error."""


def confine(cpu_seconds: int, memory_bytes: int) -> bool:
    """Set the limits, and give up everything but computing and answering.

    Return False if the platform lacks that.
    """
    try:
        import ctypes
        import resource
    except ImportError:  # Windows
        return False
    is_linux, libc = sys.platform == "linux", ctypes.CDLL(None)
    # First, since it opens a file.
    restricted = is_linux and restrict_with_landlock(libc)
    limits = {
        "CPU": cpu_seconds,
        "AS": memory_bytes,
        "NPROC": 0,
        "FSIZE": 0,
        "CORE": 0,
        "NOFILE": 0,
    }
    for name, limit in limits.items():
        with suppress(OSError, ValueError):  # macOS refuses to limit the address space
            # The soft limit of the CPU time is lower than the hard one, so that it ends
            # the process by SIGXCPU.
            resource.setrlimit(
                getattr(resource, f"RLIMIT_{name}"), (limit, limit + (name == "CPU"))
            )
    # Last, since it lets nobody change a limit.
    return (is_linux and filter_system_calls(libc)) or restricted


def filter_system_calls(libc: Any) -> bool:
    """Let the kernel refuse all system calls but SYSTEM_CALLS from now on.

    Return False if there is no such filter.

    The filter is a short program that the kernel runs before each call (seccomp; its
    language is called BPF). A step is an operation, how many steps to skip if a
    comparison holds, how many if it does not, and a value.
    """
    import ctypes

    machine = os.uname().machine
    # A 32-bit Python on such a machine has the calls of another architecture.
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        return False
    architecture, column = ARCHITECTURES[machine]
    allowed = [numbers[column] for numbers in SYSTEM_CALLS.values()]
    load, equals, finish = 0x20, 0x15, 0x06
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050000 + errno.EPERM
    steps = [
        # The same number is another call for another architecture, and a process can
        # choose: x86-64 also runs 32-bit code. No honest decoder does.
        # Of what the kernel tells, the four bytes at 4 are the architecture.
        (load, 0, 0, 4),
        (equals, 1, 0, architecture),
        (finish, 0, 0, kill),
        # The numbers of x86-64's other variant, x32, have bit 30 set, so that they
        # equal none of these.
        (load, 0, 0, 0),  # the four bytes at 0: the number of the call
        # A call that is allowed skips to the last step.
        *[
            (equals, len(allowed) - place, 0, number)
            for place, number in enumerate(allowed)
        ],
        # An error, and not the end of the process: what a library tries in vain becomes
        # an answer, such as `damaged`.
        (finish, 0, 0, refuse),
        (finish, 0, 0, allow),
    ]
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *step) for step in steps)
    )
    pointer = struct.pack("HP", len(steps), ctypes.addressof(program))
    # The kernel takes a filter from a process without privileges once it can never get
    # any.
    failed = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer
    )
    return not failed


def restrict_with_landlock(libc: Any) -> bool:
    """Give up files, TCP, and signals to others.

    Return False before Linux 6.12, which cannot do all of it.

    It protects less than the filter, and is for architectures that have none: other
    calls can still do harm.
    """
    create_ruleset, restrict_self = 444, 446  # the same numbers on all architectures
    if libc.syscall(create_ruleset, None, 0, 1) < 6:  # the version
        return False
    # 16 on files, 2 on TCP, 2 on other processes.
    rights = struct.pack("QQQ", 2**16 - 1, 2**2 - 1, 2**2 - 1)
    ruleset = libc.syscall(create_ruleset, rights, len(rights), 0)
    failed = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(
        restrict_self, ruleset, 0
    )
    return not failed


def reencode(
    content: bytes, max_pixels: int, edges: list[int]
) -> list[tuple[tuple[int, int], bytes]]:
    """Return the size and the JPEG file of each variant.

    The files have no metadata, comments or trailing bytes.
    """
    image: Image.Image = PARSERS[content[:1]](BytesIO(content))
    # Before the image is decoded: a decompression bomb is a small file.
    if image.width * image.height > max_pixels:
        raise RefusedError("too_many_pixels")
    # Reviewers would only see the first frame, and decoding all frames can be a bomb.
    if getattr(image, "n_frames", 1) != 1:
        raise RefusedError("animated")
    # Pillow would ignore the colors that a PNG names.
    named = content.find(b"\0\0\0\x04cICP") + 8
    if image.format == "PNG" and named > 7 and content[named : named + 4] != SRGB:
        raise RefusedError("unknown_colors")
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        # 16-bit gray: Pillow's own conversion would clip the values at 255 instead of
        # scaling them.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode in ("1", "P") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    variants: list[tuple[tuple[int, int], bytes]] = []
    for edge in edges:
        # Where possible, a JPEG is decoded at a fraction of its size, which saves most
        # of the memory.
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        if not variants:
            image.load()
            with suppress(
                OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error
            ):
                # Malformed metadata: no rotation.
                ImageOps.exif_transpose(image, in_place=True)
            image = flatten_to_srgb(image, profile)
        image.save(buffer := BytesIO(), "JPEG", quality=85, optimize=True)
        variants.append((image.size, buffer.getvalue()))
    return variants


def flatten_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a new sRGB image of `image`'s colors, transparency replaced by white."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colors = image.convert(image.mode.removesuffix("A")) if alpha else image
    if profile:
        # An invalid profile, or one for another mode, is ignored.
        with suppress(ImageCms.PyCMSError, OSError):
            source, target = (
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
            )
            intent, flags = (
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            colors = (
                ImageCms.profileToProfile(
                    colors, source, target, intent, "RGB", flags=flags
                )
                or colors
            )
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(colors.convert("RGB"), mask=alpha)
    return canvas


def main() -> None:
    may_be_unconfined, cpu_seconds, memory_bytes, max_pixels, *edges = map(
        int, sys.argv[1:]
    )
    warnings.simplefilter("ignore")
    Image.preinit()
    for marker in (0xFFC9, 0xFFCA, 0xFFCB, 0xFFCD, 0xFFCE, 0xFFCF):
        # Arithmetic coding: no camera uses it, and a kilobyte of it can take 14 seconds
        # to decode.
        JpegImagePlugin.MARKER.pop(marker)
    content = sys.stdin.buffer.read()
    try:
        if not confine(cpu_seconds, memory_bytes) and not may_be_unconfined:
            raise RefusedError("unconfined")
        sizes, files = zip(*reencode(content, max_pixels, edges), strict=True)
        answer = ANSWER.pack(*sizes[0], *map(len, files)) + b"".join(files)
    except RefusedError as error:
        answer = str(error).ljust(ANSWER.size).encode()
    except MemoryError:
        answer = b"too_much_memory "
    except Exception:  # a decoder can raise anything at an untrusted file
        answer = b"damaged".ljust(ANSWER.size)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
