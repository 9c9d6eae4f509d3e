"""Decode one untrusted image and encode it as JPEG, in a process of its own that `images.py` starts.

The arguments are the limits: CPU seconds, bytes of memory, pixels, and the longest edge of each variant in pixels.
The image comes by standard input. The answer on standard output is one line of JSON, either an error of
`images.ERROR_MESSAGES` or the size of the first variant and the length of each file, followed by the files.
This module imports nothing of the project, so that its process holds nothing worth stealing.
"""

import json
import os
import struct
import sys
import warnings
from contextlib import suppress
from io import BytesIO

import PIL.TiffImagePlugin  # noqa: F401  # Pillow imports it to read EXIF data, when files are no longer accessible
from PIL import Image, ImageCms, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

# Only these parsers, by the first byte: Pillow has forty more, each with vulnerabilities of its own.
PARSERS: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\xff": JpegImagePlugin.JpegImageFile,
    b"\x89": PngImagePlugin.PngImageFile,
    b"R": WebPImagePlugin.WebPImageFile,
}


class RefusedError(Exception):
    """An image that is not accepted. The argument is the code of the error."""


def confine(cpu_seconds: int, memory_bytes: int) -> None:
    """Give up files, network, signals, and further processes. What the platform does not have is skipped."""
    try:
        import resource
    except ImportError:  # Windows
        return
    if sys.platform == "linux":
        restrict_with_landlock()
    limits = {"CPU": cpu_seconds, "AS": memory_bytes, "NPROC": 0, "FSIZE": 0, "CORE": 0, "NOFILE": 0}
    for name, limit in limits.items():
        with suppress(OSError, ValueError):  # macOS refuses a limit of the address space
            # The soft limit of the CPU time is lower than the hard one, so that it ends the process by SIGXCPU.
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit + (name == "CPU")))


def restrict_with_landlock() -> None:
    """Deny access to all files, TCP ports, and other processes, as far as the kernel supports it (from 5.13 on)."""
    import ctypes

    libc = ctypes.CDLL(None)
    create_ruleset, restrict_self, no_new_privileges = 444, 446, 38
    version = libc.syscall(create_ruleset, None, 0, 1)
    if version < 1:
        return
    # A kernel rejects rights that it does not know: 13 on files at first, then TCP (4) and signals (6).
    file_rights = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    rights = struct.pack("QQQ", file_rights, 3 * (version >= 4), 3 * (version >= 6))
    ruleset = libc.syscall(create_ruleset, rights, len(rights), 0)
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    libc.syscall(restrict_self, ruleset, 0)
    os.close(ruleset)


def reencode(content: bytes, max_pixels: int, edges: list[int]) -> list[tuple[tuple[int, int], bytes]]:
    """Return the size and the JPEG file of each variant, without metadata, comments and trailing bytes."""
    image: Image.Image = PARSERS[content[:1]](BytesIO(content))
    if image.width * image.height > max_pixels:  # before the image is decoded: a decompression bomb is a small file
        raise RefusedError("too_many_pixels")
    # Reviewers would only see the first frame, and decoding all frames can be a bomb.
    if getattr(image, "n_frames", 1) != 1:
        raise RefusedError("animated")
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        # 16-bit gray: Pillow's own conversion would clip the values at 255 instead of scaling them.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode in ("1", "P") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    variants: list[tuple[tuple[int, int], bytes]] = []
    for edge in edges:
        # Where possible, a JPEG is decoded at a fraction of its size, which saves most of the memory.
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        if not variants:
            image.load()
            with suppress(OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
                ImageOps.exif_transpose(image, in_place=True)  # malformed metadata: no rotation
            image = flatten_to_srgb(image, profile)
        image.save(buffer := BytesIO(), "JPEG", quality=85)
        variants.append((image.size, buffer.getvalue()))
    return variants


def flatten_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a new sRGB image with the colors of `image`, transparency replaced by white."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colors = image.convert(image.mode.removesuffix("A")) if alpha else image
    if profile:
        with suppress(ImageCms.PyCMSError, OSError):  # an invalid profile, or one for another mode, is ignored
            source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
            intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
            colors = ImageCms.profileToProfile(colors, source, target, intent, "RGB", flags=flags) or colors
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(colors.convert("RGB"), mask=alpha)
    return canvas


def main() -> None:
    cpu_seconds, memory_bytes, max_pixels, *edges = map(int, sys.argv[1:])
    warnings.simplefilter("ignore")
    Image.preinit()
    for marker in (0xFFC9, 0xFFCA, 0xFFCB, 0xFFCD, 0xFFCE, 0xFFCF):
        # Arithmetic coding: no camera uses it, and a kilobyte of it can take 14 seconds to decode.
        JpegImagePlugin.MARKER.pop(marker)
    confine(cpu_seconds, memory_bytes)
    files: tuple[bytes, ...] = ()
    try:
        sizes, files = zip(*reencode(sys.stdin.buffer.read(), max_pixels, edges), strict=True)
        answer: dict[str, object] = {"size": sizes[0], "lengths": [len(file) for file in files]}
    except RefusedError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "too_much_memory"}
    except Exception:  # a decoder can raise anything at an untrusted file
        answer = {"error": "damaged"}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + b"".join(files))


if __name__ == "__main__":
    main()
