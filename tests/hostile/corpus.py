"""Files that somebody with bad intent, or a broken camera, would send: made here, none taken from anywhere."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from io import BytesIO
from zipfile import ZipFile

from PIL import Image, PngImagePlugin

from tests.pictures import camera_file, encode, landscape

LIMIT = 10 * 1024**2
MARKER = b"<script>/*HOSTILE-MARKER*/</script><?php system('id') ?>"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class File:
    """What is sent, under which name, and the code that it is refused with; none when it is to be rebuilt."""

    make: Callable[[], bytes]
    refused: str = ""
    name: str = "photo.jpg"


@cache
def picture(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Return the picture in most files."""
    return landscape(1, size)


@cache
def jpeg() -> bytes:
    """Return a sound JPEG."""
    return encode(picture())


@cache
def png() -> bytes:
    """Return a sound PNG."""
    return encode(picture(), "PNG")


@cache
def webp() -> bytes:
    """Return a sound WebP."""
    return encode(picture(), "WEBP")


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, depth: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    """Return the header chunk of a PNG; color 0 is grey, 2 RGB, 3 a palette, 6 RGB with transparency."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


@cache
def deflated(size: int) -> bytes:
    """Return zlib data of at least `size` bytes of zero, a thousandth as long, without making them all."""
    deflate = zlib.compressobj(9, wbits=-15)
    million = deflate.compress(bytes(10**6)) + deflate.flush(zlib.Z_FULL_FLUSH)
    millions = size // 10**6 + 1
    checksum = struct.pack(">HH", millions * 10**6 % 65521, 1)
    return b"\x78\xda" + million * millions + b"\x03\0" + checksum


def drawn(width: int, height: int, depth: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    """Return a PNG whose pixels are all zero: some kilobytes for any size."""
    channels = {0: 1, 2: 3, 6: 4}[color]
    row = 1 + (width * channels * depth + 7) // 8
    # Interlacing takes somewhat more rows; what is left over does not matter.
    data = deflated(row * height * (2 if interlace else 1))
    return PNG_SIGNATURE + header(width, height, depth, color, interlace) + chunk(b"IDAT", data) + chunk(b"IEND")


def in_png(*chunks: bytes, before: bytes = b"IDAT") -> bytes:
    """Return a PNG with more chunks before its pixels, or before its end."""
    at = png().index(before) - 4
    return png()[:at] + b"".join(chunks) + png()[at:]


def in_jpeg(*segments: tuple[int, bytes]) -> bytes:
    """Return a JPEG with more segments, each a marker and its content, right after its start."""
    added = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in segments)
    return jpeg()[:2] + added + jpeg()[2:]


def lying_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG that announces another size than it has."""
    at = jpeg().index(b"\xff\xc0") + 5
    return jpeg()[:at] + struct.pack(">HH", height, width) + jpeg()[at + 4 :]


def lying_webp(width: int, height: int) -> bytes:
    """Return a WebP whose canvas is larger than its picture."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size
    body = b"WEBP" + canvas + webp()[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(*tags: tuple[int, int, int, int], tail: bytes = b"", following: int = 0) -> bytes:
    """Return EXIF data with these tags: number, type, count, and value or offset."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", following) + tail


def many_passes() -> bytes:
    """Return a progressive JPEG that has its last pass over 40 million pixels a thousand times."""
    base = encode(Image.new("L", (6320, 6320), 77), progressive=True, quality=50)
    at = base.rindex(b"\xff\xda")
    return base[:-2] + base[at:-2] * 1000 + base[-2:]


def hidden_passes() -> bytes:
    """Return one whose passes stand in what a reader takes for a segment, and the decoder, out of step, does not."""
    base = encode(Image.new("L", (6320, 6320), 77), progressive=True, quality=50)
    at = base.rindex(b"\xff\xda")
    restart_after_one = b"\xff\xdd" + struct.pack(">HH", 4, 1)
    start = base[at : at + 10]
    return base[:-2] + restart_after_one + start + b"\0\xff\x02\xff\xff" + (start + b"\0") * 500 + base[-2:]


def flooded(part: bytes) -> bytes:
    """Return a JPEG of 10 MB that repeats these bytes before its first segment."""
    return jpeg()[:2] + part * (10_000_000 // len(part)) + jpeg()[2:]


def profiles() -> bytes:
    """Return a PNG with 4,500 colour profiles that unpack to a megabyte each."""
    return in_png(profile_chunk(deflated(10**6)) * 4500)


def zipped() -> bytes:
    """Return an archive with the marker in it."""
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        archive.writestr("evil.php", MARKER)
    return buffer.getvalue()


def noted(**texts: str) -> PngImagePlugin.PngInfo:
    """Return texts for a PNG."""
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info


def in_pixels(form: str) -> bytes:
    """Return a picture whose raw pixels spell the marker, over and over."""
    pixels = (MARKER * (160 * 120 * 3 // len(MARKER) + 1))[: 160 * 120 * 3]
    return encode(Image.frombytes("RGB", (160, 120), pixels), form, **({"lossless": True} if form == "WEBP" else {}))


def stored_pixels() -> bytes:
    """Return a PNG that holds the marker in its compressed pixels, readable since nothing is compressed."""
    rows = b"".join(b"\0" + (MARKER * 9)[:480] for _ in range(120))
    return PNG_SIGNATURE + header(160, 120) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND")


def moving(form: str, frames: int = 3) -> bytes:
    """Return a moving picture."""
    rest = [Image.new("RGB", (160, 120), (shade % 256, 0, 0)) for shade in range(frames - 1)]
    return encode(picture(), form, save_all=True, append_images=rest)


def ending(whole: Callable[[], bytes], percent: int) -> Callable[[], bytes]:
    """Return a way to make the first part of a file."""
    return lambda: whole()[: len(whole()) * percent // 100]


def padded(size: int) -> bytes:
    """Return a sound JPEG of exactly this size, filled up behind its end."""
    return jpeg() + bytes(size - len(jpeg()))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + MARKER + b"</svg>"
TYPES = {
    "SVG": lambda: SVG,
    "compressed SVG": lambda: zlib.compress(SVG, wbits=31),
    "HTML": lambda: b"<!doctype html><title>x</title>" + MARKER,
    "PHP": lambda: MARKER,
    "PDF": lambda: encode(picture(), "PDF"),
    "GIF": lambda: encode(picture(), "GIF"),
    "GIF of JavaScript": lambda: b"GIF89a/*" + bytes(40) + b"*/=0;alert(1)//" + MARKER,
    "TIFF": lambda: encode(picture(), "TIFF"),
    "BMP": lambda: encode(picture(), "BMP"),
    "ICO": lambda: encode(picture(), "ICO", sizes=[(16, 16)]),
    "EPS": lambda: encode(picture(), "EPS"),
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n" + MARKER,
    "PCX": lambda: encode(picture(), "PCX"),
    "PPM": lambda: encode(picture(), "PPM"),
    "TGA": lambda: encode(picture(), "TGA"),
    "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + MARKER,
    "HEIC": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99) + MARKER,
    "AVIF": lambda: b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + bytes(99) + MARKER,
    "Photoshop": lambda: b"8BPS\0\x01" + bytes(20) + MARKER,
    "archive": zipped,
    "program": lambda: b"\x7fELF\x02\x01\x01" + bytes(99) + MARKER,
    "Windows program": lambda: b"MZ" + bytes(99) + MARKER,
    "web application": lambda: b"RIFF\x24\0\0\0WAVEfmt " + MARKER,
    "random bytes": lambda: bytes(range(256)) * 40,
    "one byte": lambda: b"\xff",
    "signature of a JPEG alone": lambda: b"\xff\xd8",
    "signature of a PNG alone": lambda: PNG_SIGNATURE,
    "signature of a WebP alone": lambda: b"RIFF\x04\0\0\0WEBP",
    "picture after a script": lambda: MARKER + jpeg(),
}


def empty_png(width: int, height: int) -> bytes:
    """Return a PNG of some dozens of bytes that announces a size."""
    return PNG_SIGNATURE + header(width, height) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND")


def profile_chunk(data: bytes) -> bytes:
    """Return the chunk of a colour profile, of zlib data."""
    return chunk(b"iCCP", b"profile\0\0" + data)


# Content that is no photo, whatever its name says
WRONG = {f"type: {kind}": File(make, "unsupported_type") for kind, make in TYPES.items()}

NAMES = {
    "name: JPEG as PNG": File(jpeg, "wrong_extension", "photo.png"),
    "name: PNG as JPEG": File(png, "wrong_extension", "photo.jpg"),
    "name: WebP as JPEG": File(webp, "wrong_extension", "photo.jpeg"),
    "name: program": File(jpeg, "wrong_extension", "photo.jpg.php"),
    "name: page": File(jpeg, "wrong_extension", "photo.html"),
    "name: SVG": File(png, "wrong_extension", "photo.svg"),
    "name: ending alone": File(jpeg, "wrong_extension", ".jpg"),
    "name: no ending": File(jpeg, "wrong_extension", "photo"),
    "name: dot at its end": File(jpeg, "wrong_extension", "photo.jpg."),
    "name: right to left": File(jpeg, "wrong_extension", "photo\u202egpj.exe"),
    "name: stream of Windows": File(jpeg, "wrong_extension", "photo.php::$DATA"),
    "name: null before the ending": File(jpeg, name="evil.php\0.jpg"),
    "name: two endings": File(jpeg, name="evil.php.jpg"),
    "name: upwards": File(jpeg, name="../../../../../../tmp/hostile-marker.jpg"),
    "name: upwards in Windows": File(jpeg, name="..\\..\\windows\\hostile-marker.jpg"),
    "name: upwards, encoded": File(jpeg, name="..%2f..%2fhostile-marker.jpg"),
    "name: from the root": File(jpeg, name="/etc/cron.d/hostile-marker.jpg"),
    "name: 300 letters": File(jpeg, name="n" * 300 + ".jpg"),
    "name: reserved in Windows": File(jpeg, name="CON.jpg"),
    "name: line breaks": File(jpeg, name="a&#13;&#10;Set-Cookie: evil=1&#13;&#10;.jpg"),
    "name: markup": File(jpeg, name="<img src=x onerror=alert(1)>.jpg"),
    "name: template": File(jpeg, name="{{ settings.SECRET_KEY }}{% debug %}.jpg"),
    "name: query": File(jpeg, name="'; DROP TABLE uploads_photo; --.jpg"),
    "name: shell": File(jpeg, name="$(id);`id`|id.jpg"),
    "name: half a letter": File(jpeg, "missing", name="broken-\udcc3.jpg"),
    "name: capital letters": File(jpeg, name="PHOTO.JPG"),
}

SIZES = {
    "size: none": File(lambda: b"", "empty"),
    "size: the limit": File(lambda: padded(LIMIT)),
    "size: a byte over the limit": File(lambda: padded(LIMIT + 1), "too_large"),
}

DAMAGED = {
    **{
        f"damaged: {form.upper()} that ends after {percent} %": File(ending(whole, percent), "damaged", f"photo.{form}")
        for form, whole in {"jpg": jpeg, "png": png}.items()
        for percent in (50, 75, 95)
    },
    "damaged: JPEG that ends in its header": File(lambda: jpeg()[:100], "unsupported_type"),
    "damaged: PNG that ends in its header": File(lambda: png()[:20], "unsupported_type", "photo.png"),
    "damaged: WebP that ends early": File(lambda: webp()[: len(webp()) // 2], "unsupported_type", "photo.webp"),
    "damaged: PNG with a wrong checksum": File(
        lambda: png().replace(b"IHDR", b"IHDR", 1)[:29] + b"\0\0\0\0" + png()[33:], "unsupported_type", "photo.png"
    ),
    "damaged: PNG without pixels": File(lambda: empty_png(9, 9), "damaged", "photo.png"),
    "damaged: PNG of no width": File(lambda: empty_png(0, 9), "unsupported_type", "photo.png"),
    "damaged: palette that is not there": File(
        lambda: PNG_SIGNATURE + header(9, 9, color=3) + chunk(b"IDAT", zlib.compress(bytes(90))) + chunk(b"IEND"),
        "damaged",
        "photo.png",
    ),
    "damaged: JPEG taller than it is": File(lambda: lying_jpeg(160, 6000)),
    "damaged: WebP smaller than its canvas": File(lambda: lying_webp(6000, 6000), "unsupported_type", "photo.webp"),
    "damaged: EXIF that points to itself": File(
        lambda: in_jpeg((0xE1, b"Exif\0\0" + exif((0x8769, 4, 1, 8), following=8)))
    ),
    "damaged: EXIF that points nowhere": File(lambda: in_jpeg((0xE1, b"Exif\0\0" + exif((0x0112, 3, 9, 2**32 - 1))))),
    "damaged: EXIF of a wrong type": File(lambda: in_jpeg((0xE1, b"Exif\0\0" + exif((0x0112, 2, 4, 0x41414141))))),
    "damaged: EXIF of noise": File(lambda: in_jpeg((0xE1, b"Exif\0\0" + bytes(range(256)) * 9))),
}

BOMBS = {
    "bomb: PNG of 3.6 gigapixels": File(lambda: empty_png(60_000, 60_000), "too_many_pixels", "photo.png"),
    "bomb: JPEG of 4.2 gigapixels": File(lambda: lying_jpeg(65_000, 65_000), "too_many_pixels"),
    "bomb: WebP of 268 megapixels": File(lambda: lying_webp(16_384, 16_384), "too_many_pixels", "photo.webp"),
    "bomb: JPEG just over the limit": File(lambda: lying_jpeg(8000, 5001), "too_many_pixels"),
    "bomb: PNG of 169 megapixels that are there": File(
        lambda: drawn(13_000, 13_000, 1, 0), "too_many_pixels", "photo.png"
    ),
    "bomb: 40 megapixels of 16 bits": File(lambda: drawn(8000, 5000, 16, 0), name="photo.png"),
    "bomb: 40 megapixels, interlaced": File(lambda: drawn(8000, 5000, interlace=1), name="photo.png"),
    "bomb: WebP of 40 megapixels": File(
        lambda: encode(Image.new("RGBA", (8000, 5000)), "WEBP", method=0), name="photo.webp"
    ),
    "bomb: a pixel wide, 40 million high": File(lambda: drawn(1, 40_000_000, color=0), name="photo.png"),
    "bomb: a thousand passes": File(many_passes, "damaged"),
    "bomb: a thousand passes behind tables": File(lambda: b"\xff\xd8\xff\xd9" + many_passes(), "damaged"),
    "bomb: a thousand passes behind tables thrice": File(lambda: b"\xff\xd8\xff\xd9" * 3 + many_passes(), "damaged"),
    **{
        f"bomb: a flood of {flood.hex()}": File(partial(flooded, flood), "damaged")
        for flood in (b"\xff", b"\xff\x00", b"\xff\xd8", b"\xff\xd0", b"\xff\xd9\xff\xfe\x00\x02")
    },
    "bomb: a flood that nothing follows": File(lambda: jpeg()[:2] + b"\xff\x00" * 5_000_000, "damaged"),
    "bomb: 4,500 profiles": File(profiles, "damaged", "photo.png"),
    "bomb: millions of segments": File(lambda: in_jpeg(*[(0xE5, b"")] * 2_600_000), "damaged"),
    "bomb: five hundred hidden passes": File(hidden_passes, "damaged"),
    "bomb: pixels behind the pixels": File(
        lambda: PNG_SIGNATURE + header(9, 9) + chunk(b"IDAT", deflated(10**9)) + chunk(b"IEND"), name="photo.png"
    ),
    "bomb: compressed text": File(
        lambda: in_png(chunk(b"zTXt", b"key\0\0" + deflated(10**9))), "unsupported_type", "photo.png"
    ),
    "bomb: compressed international text": File(
        lambda: in_png(chunk(b"iTXt", b"key\0\1\0\0\0" + deflated(10**9))), "unsupported_type", "photo.png"
    ),
    "bomb: compressed text behind the pixels": File(
        lambda: in_png(chunk(b"zTXt", b"key\0\0" + deflated(10**9)), before=b"IEND"), name="photo.png"
    ),
    "bomb: many compressed texts": File(
        lambda: in_png(*[chunk(b"zTXt", b"key\0\0" + deflated(10**6))] * 100), "unsupported_type", "photo.png"
    ),
    "bomb: compressed colour profile": File(
        lambda: in_png(profile_chunk(deflated(10**9))), "unsupported_type", "photo.png"
    ),
    "bomb: 800,000 chunks": File(lambda: in_png(chunk(b"noTe") * 800_000), "damaged", "photo.png"),
    "full: 150 chunks": File(lambda: in_png(chunk(b"noTe") * 150), name="photo.png"),
    "full: pixels in 9,000 chunks": File(lambda: in_png(chunk(b"IDAT") * 9000), name="photo.png"),
    "bomb: EXIF of 65,000 large tags": File(
        lambda: in_png(chunk(b"eXIf", exif(*[(tag, 7, 2**20, 8) for tag in range(65_000)], tail=bytes(2**20)))),
        name="photo.png",
    ),
    "bomb: a hundred pictures in one": File(lambda: moving("MPO", 100)),
}

# What is rebuilt has to lose the marker on its way.
HIDDEN = {
    "hidden: in a comment": File(lambda: in_jpeg((0xFE, MARKER))),
    "hidden: in every metadata of a camera": File(lambda: camera_file(picture(), MARKER.decode())),
    "hidden: in a colour profile": File(lambda: encode(picture(), icc_profile=MARKER * 20)),
    "hidden: in all segments": File(lambda: in_jpeg(*[(marker, MARKER) for marker in range(0xE2, 0xF0)])),
    "hidden: in texts of a PNG": File(
        lambda: encode(picture(), "PNG", pnginfo=noted(Comment=MARKER.decode(), Software=MARKER.decode())),
        name="photo.png",
    ),
    "hidden: in a chunk of its own": File(lambda: in_png(chunk(b"evIl", MARKER)), name="photo.png"),
    "hidden: in metadata of a WebP": File(
        lambda: encode(picture(), "WEBP", xmp=MARKER, icc_profile=MARKER * 20), name="photo.webp"
    ),
    "hidden: in pixels of a PNG": File(lambda: in_pixels("PNG"), name="photo.png"),
    "hidden: in pixels of a WebP": File(lambda: in_pixels("WEBP"), name="photo.webp"),
    "hidden: in pixels that are stored as they are": File(stored_pixels, name="photo.png"),
    "hidden: archive behind a JPEG": File(lambda: jpeg() + zipped()),
    "hidden: program behind a PNG": File(lambda: png() + MARKER, name="photo.png"),
    "hidden: page behind a WebP": File(lambda: webp() + MARKER, name="photo.webp"),
    "hidden: second picture": File(lambda: jpeg() + in_jpeg((0xFE, MARKER))),
    "hidden: JavaScript in a header": File(lambda: in_jpeg((0xE0, b"/*" + bytes(99) + b"*/=1;" + MARKER))),
}

# Odd, but photos
ODD = {
    **{f"odd: orientation {turn}": File(partial(camera_file, picture(), "x", turn)) for turn in range(1, 10)},
    "odd: CMYK": File(lambda: encode(picture().convert("CMYK"))),
    "odd: grey": File(lambda: encode(picture().convert("L"))),
    "odd: progressive": File(lambda: encode(picture(), progressive=True)),
    "odd: picture with a picture": File(lambda: moving("MPO", 2)),
    "odd: 16 bits": File(lambda: encode(picture().convert("I;16"), "PNG"), name="photo.png"),
    "odd: 16 bits, transparent": File(lambda: drawn(99, 99, 16, 6), name="photo.png"),
    "odd: one bit": File(lambda: encode(picture().convert("1"), "PNG"), name="photo.png"),
    "odd: palette with transparency": File(
        lambda: encode(picture().convert("P"), "PNG", transparency=bytes(range(256))), name="photo.png"
    ),
    "odd: a single pixel": File(lambda: encode(Image.new("RGB", (1, 1))), name="photo.jpg"),
    "moving: PNG": File(lambda: moving("PNG"), "animated", "photo.png"),
    "moving: WebP": File(lambda: moving("WEBP"), "animated", "photo.webp"),
    "moving: a hundred frames": File(lambda: moving("WEBP", 100), "animated", "photo.webp"),
}

FILES = WRONG | NAMES | SIZES | DAMAGED | BOMBS | HIDDEN | ODD
