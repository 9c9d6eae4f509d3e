"""Decode one untrusted image and encode it as JPEG, in a process of its own.

`images.py` starts the process. The arguments are the id of the process that starts it,
whether it may be unconfined (0 or 1), and the limits: CPU seconds, bytes of memory,
pixels, and the longest edge of each variant in pixels. The image comes by standard
input. The answer on standard output is the code of an error, filled up with blanks to
16 bytes, or `ANSWER`: the size of the first variant and the length of each file,
followed by the files. This module imports nothing of the project, so that its process
holds nothing worth stealing.
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
# The colors of a PNG by number: how the chunk starts, and sRGB's primaries and
# transfer, RGB itself, full range.
CICP_HEADER = b"\0\0\0\x04cICP"
CICP_SRGB = b"\x01\x0d\x00\x01"
JPEG_END = b"\xff\xd9"
# Bytes that a JPEG decodes to pixels other than those it assumes at its end.
FILLER = b"\x5a" * 100
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
PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
SIGKILL = 9
# From 0 to 19: the higher, the less of a busy processor. Pages come first, and photos
# still get in while they are asked for without a pause.
NICENESS = 5


class RefusedError(Exception):
    """An image that is not accepted. The argument is the code of the error."""


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process together with its parent (Linux only)."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it had already ended
        sys.exit(1)


def let_pages_go_first() -> None:
    """Get less of a busy processor than the web processes (not on Windows)."""
    if sys.platform != "win32":
        os.nice(NICENESS)


def confine(cpu_seconds: int, memory_bytes: int) -> bool:
    """Set the limits, and give up everything but computing and answering.

    Return False if the platform lacks that, or refuses it.
    """
    try:
        import ctypes
        import resource
    except ImportError:  # Windows
        return False
    libc = ctypes.CDLL(None)
    is_linux = sys.platform == "linux"
    # First, since it opens a file.
    has_landlock = is_linux and restrict_with_landlock(libc)
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
    if not is_linux:
        return False
    if not has_filter():
        return has_landlock
    # Last, since it lets nobody change a limit.
    return filter_system_calls(libc)


def has_filter() -> bool:
    """Return whether SYSTEM_CALLS has the numbers of this architecture.

    A 32-bit Python on such a machine has the calls of another one.
    """
    return os.uname().machine in ARCHITECTURES and struct.calcsize("P") == 8


def filter_system_calls(libc: Any) -> bool:
    """Let the kernel refuse all system calls but SYSTEM_CALLS from now on.

    Return False if it does not, as under an emulation of another processor.

    The filter is a short program that the kernel runs before each call (seccomp; its
    language is called BPF). A step is an operation, how many steps to skip if a
    comparison holds, how many if it does not, and a value.
    """
    import ctypes

    architecture, column = ARCHITECTURES[os.uname().machine]
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
    try:
        return reencode_whole(content, max_pixels, edges)
    except OSError:
        content = content.removesuffix(JPEG_END[:1])
        if not lacks_only_its_end(content):
            raise
    return reencode_whole(content + JPEG_END, max_pixels, edges)


def reencode_whole(
    content: bytes, max_pixels: int, edges: list[int]
) -> list[tuple[tuple[int, int], bytes]]:
    image = open_image(content, max_pixels)
    # Reviewers would only see the first frame, and decoding all frames can be a bomb.
    if getattr(image, "n_frames", 1) != 1:
        raise RefusedError("animated")
    check_colors(image, content)
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


def open_image(content: bytes, max_pixels: int) -> Image.Image:
    """Return the image, which is not decoded yet: a decompression bomb is small."""
    if content.startswith(b"RIFF"):
        width, height = webp_size(content)
        check_pixels(width, height, max_pixels)
    image = PARSERS[content[:1]](BytesIO(content))
    check_pixels(image.width, image.height, max_pixels)
    return image


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise RefusedError("too_many_pixels")


def webp_size(content: bytes) -> tuple[int, int]:
    """Return the width and height in pixels that the first chunk states (RFC 9649).

    Pillow reserves memory for all pixels before it tells them, and may get none.
    """
    kind = content[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
    elif kind == b"VP8L":
        size = int.from_bytes(content[21:25], "little")
        width = size % 2**14 + 1
        height = (size >> 14) % 2**14 + 1
    else:
        width = int.from_bytes(content[26:28], "little") % 2**14
        height = int.from_bytes(content[28:30], "little") % 2**14
    return width, height


def check_colors(image: Image.Image, content: bytes) -> None:
    """Refuse a PNG that names colors other than sRGB: Pillow would ignore them."""
    start = content.find(CICP_HEADER)
    if image.format != "PNG" or start == -1:
        return
    if not content.startswith(CICP_SRGB, start + len(CICP_HEADER)):
        raise RefusedError("unknown_colors")


def lacks_only_its_end(content: bytes) -> bool:
    """Return whether only the end of a JPEG is missing: browsers show such a photo.

    If pixels are missing too, what follows is taken for them.
    """
    if not content.startswith(b"\xff"):
        return False
    return brightness(content + JPEG_END) == brightness(content + FILLER + JPEG_END)


def brightness(content: bytes) -> bytes:
    """Return the brightness of each pixel of a JPEG, which is fast to decode."""
    image = JpegImagePlugin.JpegImageFile(BytesIO(content))
    image.draft("L", image.size)
    return image.tobytes()


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
    arguments = map(int, sys.argv[1:])
    parent, may_be_unconfined, cpu_seconds, memory_bytes, max_pixels, *edges = arguments
    end_with_parent(parent)
    let_pages_go_first()
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
