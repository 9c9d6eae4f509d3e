"""Decode one untrusted image and encode it as JPEG, in a process of its own.

`images.py` starts the process. Its arguments are the id of its parent, whether it may
be unconfined (0 or 1), and the limits: CPU seconds, bytes of memory, pixels, and the
longest edge of each variant in pixels. The image comes by standard input. The answer on
standard output is the code of an error, padded with spaces to 16 bytes, or `ANSWER`:
the size of the first variant and the length of each file, followed by the files. This
module imports nothing of the project, so that its process holds nothing worth stealing.
"""

import errno
import os
import struct
import sys
import warnings
from contextlib import suppress
from io import BytesIO
from typing import Any, NamedTuple

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
# The PNG chunk that names the colors by number: how it starts, and the numbers of sRGB
# (primaries, transfer, RGB itself, full range).
CICP_HEADER = b"\0\0\0\x04cICP"
CICP_SRGB = b"\x01\x0d\x00\x01"
JPEG_END = b"\xff\xd9"
# Bytes that decode to pixels other than those that a decoder assumes for a cut JPEG.
FILLER = b"\x5a" * 100
# Of JPEG's arithmetic coding: no camera uses it, and a kilobyte of it can take 14
# seconds to decode.
ARITHMETIC_MARKERS = (0xFFC9, 0xFFCA, 0xFFCB, 0xFFCD, 0xFFCE, 0xFFCF)
# What Pillow raises at malformed EXIF data.
METADATA_ERRORS = (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error)
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
    "clock_gettime": (228, 113),  # on machines whose vDSO lacks it
    "exit_group": (231, 94),
    "getrandom": (318, 278),  # the C library's memory allocator
}
# By `uname -m`: the kernel's number of the architecture (AUDIT_ARCH), and the column of
# its system calls above.
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
# Options of prctl().
PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
# Operations of a filter of system calls, and its answers.
BPF_LOAD = 0x20
BPF_JUMP_IF_EQUAL = 0x15
BPF_RETURN = 0x06
SECCOMP_ALLOW = 0x7FFF0000
SECCOMP_KILL = 0x80000000
SECCOMP_REFUSE = 0x00050000 + errno.EPERM
# Where a filter finds the number and the architecture of a call, in bytes.
NUMBER_OFFSET = 0
ARCHITECTURE_OFFSET = 4
# System calls of Landlock, the same on all architectures.
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446
SIGKILL = 9
# From 0 to 19: the higher, the smaller the share of a busy processor. Pages come first,
# and photos still make progress under constant requests for pages.
NICENESS = 5


class RefusedError(Exception):
    """An image that is not accepted. The argument is the code of the error."""


class Variant(NamedTuple):
    """A JPEG file, and its width and height in pixels."""

    size: tuple[int, int]
    file: bytes


class Step(NamedTuple):
    """A step of a filter. A comparison skips as many steps as its result says."""

    operation: int
    skip_if_equal: int
    skip_if_different: int
    value: int


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
    # First, since it needs a file descriptor.
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
        # Higher for the CPU time, so that the soft limit ends the process by SIGXCPU.
        hard_limit = limit + 1 if name == "CPU" else limit
        kind = getattr(resource, f"RLIMIT_{name}")
        with suppress(OSError, ValueError):  # macOS refuses to limit the address space
            resource.setrlimit(kind, (limit, hard_limit))
    if not is_linux:
        return False
    if not has_filter():
        return has_landlock
    # Last, since it lets nobody change a limit.
    return filter_system_calls(libc)


def has_filter() -> bool:
    """Return whether SYSTEM_CALLS has the numbers of this architecture.

    A 32-bit Python on such a machine makes the calls of another architecture.
    """
    is_64_bit = struct.calcsize("P") == 8
    return is_64_bit and os.uname().machine in ARCHITECTURES


def filter_system_calls(libc: Any) -> bool:
    """Let the kernel refuse all system calls but SYSTEM_CALLS from now on.

    Return False if the kernel does not, as under an emulation of another processor.
    """
    import ctypes

    steps = filter_steps(*ARCHITECTURES[os.uname().machine])
    packed_steps = [struct.pack("HBBI", *step) for step in steps]
    program = ctypes.create_string_buffer(b"".join(packed_steps))
    address = ctypes.addressof(program)
    pointer = struct.pack("HP", len(steps), address)
    if not forbid_privileges(libc):
        return False
    return not libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, pointer)


def filter_steps(architecture: int, column: int) -> list[Step]:
    """Return the program that the kernel runs before each call (seccomp, in BPF)."""
    allowed = [numbers[column] for numbers in SYSTEM_CALLS.values()]
    return [
        # The same number is another call for another architecture, and a process can
        # choose: x86-64 also runs 32-bit code. No honest decoder does.
        Step(BPF_LOAD, 0, 0, ARCHITECTURE_OFFSET),
        Step(BPF_JUMP_IF_EQUAL, 1, 0, architecture),
        Step(BPF_RETURN, 0, 0, SECCOMP_KILL),
        # The numbers of x86-64's other variant, x32, have bit 30 set, so that they
        # equal none of these.
        Step(BPF_LOAD, 0, 0, NUMBER_OFFSET),
        # A call that is allowed skips to the last step.
        *[
            Step(BPF_JUMP_IF_EQUAL, len(allowed) - place, 0, number)
            for place, number in enumerate(allowed)
        ],
        # An error instead of the end of the process: after a refused call, the decoder
        # still answers, for example `damaged`.
        Step(BPF_RETURN, 0, 0, SECCOMP_REFUSE),
        Step(BPF_RETURN, 0, 0, SECCOMP_ALLOW),
    ]


def forbid_privileges(libc: Any) -> bool:
    """Give up future privileges, as the kernel demands. Return False if it fails."""
    return not libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def restrict_with_landlock(libc: Any) -> bool:
    """Give up files, TCP, and signals to others.

    Return False before Linux 6.12, which cannot restrict all of them.

    Landlock protects less than the filter, and is for architectures that have none:
    other calls can still do harm.
    """
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 6:
        return False
    # A bit for each right: 16 on files, 2 on TCP, 2 on other processes.
    rights = struct.pack("QQQ", 0xFFFF, 0b11, 0b11)
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, rights, len(rights), 0)
    if not forbid_privileges(libc):
        return False
    return not libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)


def reencode(content: bytes, max_pixels: int, edges: list[int]) -> list[Variant]:
    """Return each variant, without metadata, comments and trailing bytes."""
    try:
        return reencode_whole(content, max_pixels, edges)
    except OSError:
        content = content.removesuffix(JPEG_END[:1])
        if not lacks_only_its_end(content):
            raise
    return reencode_whole(content + JPEG_END, max_pixels, edges)


def reencode_whole(content: bytes, max_pixels: int, edges: list[int]) -> list[Variant]:
    image = open_image(content, max_pixels)
    check_frames(image)
    check_colors(image, content)
    profile = image.info.get("icc_profile")
    image = normalize_mode(image)
    # Before decoding: where possible, a JPEG is then decoded at a fraction of its size,
    # which saves most of the memory.
    shrink(image, edges[0])
    image.load()
    with suppress(*METADATA_ERRORS):  # then there is no rotation
        ImageOps.exif_transpose(image, in_place=True)
    image = flatten_to_srgb(image, profile)
    variants = []
    for edge in edges:
        shrink(image, edge)
        variants.append(Variant(image.size, encode(image)))
    return variants


def open_image(content: bytes, max_pixels: int) -> Image.Image:
    """Return the image, which is not decoded yet: a decompression bomb is small."""
    if content.startswith(b"RIFF"):
        width, height = webp_size(content)
        check_pixels(width, height, max_pixels)
    parser = PARSERS[content[:1]]
    image = parser(BytesIO(content))
    check_pixels(image.width, image.height, max_pixels)
    return image


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise RefusedError("too_many_pixels")


def webp_size(content: bytes) -> tuple[int, int]:
    """Return the width and height in pixels that the first chunk states (RFC 9649).

    Pillow reserves memory for all pixels before it returns the size, and may get none.
    """
    kind = content[12:16]
    if kind == b"VP8X":
        width = to_number(content[24:27]) + 1
        height = to_number(content[27:30]) + 1
    elif kind == b"VP8L":
        size = to_number(content[21:25])
        width = size % 2**14 + 1
        height = (size >> 14) % 2**14 + 1
    else:
        width = to_number(content[26:28]) % 2**14
        height = to_number(content[28:30]) % 2**14
    return width, height


def to_number(content: bytes) -> int:
    return int.from_bytes(content, "little")


def check_frames(image: Image.Image) -> None:
    """Refuse an animation.

    Reviewers would only see the first frame, and decoding all frames can be a bomb.
    """
    if getattr(image, "n_frames", 1) != 1:
        raise RefusedError("animated")


def check_colors(image: Image.Image, content: bytes) -> None:
    """Refuse a PNG that names colors other than sRGB: Pillow would ignore them."""
    start = content.find(CICP_HEADER)
    if image.format != "PNG" or start == -1:
        return
    colors_start = start + len(CICP_HEADER)
    if not content.startswith(CICP_SRGB, colors_start):
        raise RefusedError("unknown_colors")


def lacks_only_its_end(content: bytes) -> bool:
    """Return whether a JPEG lacks only its end marker: browsers show such a photo.

    If pixels are missing too, appended bytes are decoded as pixels.
    """
    if not content.startswith(b"\xff"):
        return False
    pixels = brightness(content + JPEG_END)
    return pixels == brightness(content + FILLER + JPEG_END)


def brightness(content: bytes) -> bytes:
    """Return the brightness of each pixel of a JPEG, which is fast to decode."""
    image = JpegImagePlugin.JpegImageFile(BytesIO(content))
    image.draft("L", image.size)
    return image.tobytes()


def normalize_mode(image: Image.Image) -> Image.Image:
    """Return the image in gray, RGB or CMYK of 8 bits, with or without alpha."""
    if image.mode.startswith("I"):
        # 16-bit gray: Pillow's own conversion would clip the values at 255 instead of
        # scaling them.
        scaled = image.convert("I").point(lambda value: value / 256)
        return scaled.convert("L")
    if image.mode in ("1", "P") or "transparency" in image.info:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def shrink(image: Image.Image, edge: int) -> None:
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)


def flatten_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a new sRGB image, with transparency replaced by white."""
    alpha = None
    colors = image
    if image.mode in ("LA", "RGBA"):
        alpha = image.getchannel("A")
        colors = image.convert(image.mode.removesuffix("A"))
    if profile:
        # An invalid profile, or one for another mode, is ignored.
        with suppress(ImageCms.PyCMSError, OSError):
            colors = convert_to_srgb(colors, profile)
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(colors.convert("RGB"), mask=alpha)
    return canvas


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return converted or image


def encode(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def pack_answer(variants: list[Variant]) -> bytes:
    files = [variant.file for variant in variants]
    lengths = [len(file) for file in files]
    header = ANSWER.pack(*variants[0].size, *lengths)
    return header + b"".join(files)


def main() -> None:
    arguments = map(int, sys.argv[1:])
    parent, may_be_unconfined, cpu_seconds, memory_bytes, max_pixels, *edges = arguments
    end_with_parent(parent)
    let_pages_go_first()
    warnings.simplefilter("ignore")
    Image.preinit()
    for marker in ARITHMETIC_MARKERS:
        JpegImagePlugin.MARKER.pop(marker)
    content = sys.stdin.buffer.read()
    try:
        if not confine(cpu_seconds, memory_bytes) and not may_be_unconfined:
            raise RefusedError("unconfined")
        answer = pack_answer(reencode(content, max_pixels, edges))
    except RefusedError as error:
        answer = str(error).ljust(ANSWER.size).encode()
    except MemoryError:
        answer = b"too_much_memory "
    except Exception:  # a decoder can raise anything at an untrusted file
        answer = b"damaged".ljust(ANSWER.size)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
