"""The decoder's process: what it can reach if an attacker controls it, randomly mutated files, and true pixels."""

import ctypes
import json
import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from secrets import randbits

import pytest
from PIL import ExifTags, Image, ImageChops

from tests.support.baking import ALL_OFF, Project
from tests.support.images import encode

pytestmark = pytest.mark.slow

FUZZ = Path(__file__).with_name("fuzz.py")
FUZZED_FILES = 5000
LIMITS = ("3", str(2**30), "50000000", "2000", "480")

# Runs like the decoder, confined in the same way, and prints what works all the same.
PROBE = """
import ctypes, json, os, runpy, signal, socket, sys
decoder, secret, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
parent, address, length = os.getppid(), int(sys.argv[4]), int(sys.argv[5])
libc = ctypes.CDLL(None, use_errno=True)
confine = runpy.run_path(decoder)["confine"]

class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

def read_memory():
    buffer = ctypes.create_string_buffer(length)
    local, remote = Vector(ctypes.addressof(buffer), length), Vector(address, length)
    read = libc.process_vm_readv(parent, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if read != length:
        raise OSError(ctypes.get_errno(), "not read")

def raise_limits():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

ATTEMPTS = {
    "read a file": lambda: open(secret).close(),
    "delete a file": lambda: os.unlink(secret),
    "rename a file": lambda: os.rename(secret, secret + "x"),
    "list a folder": lambda: os.listdir("/"),
    "make a folder": lambda: os.mkdir(secret + "d"),
    "the parent's environment": lambda: open(f"/proc/{parent}/environ").close(),
    "a socket": lambda: socket.socket().close(),
    "a TCP connection": lambda: socket.create_connection(("127.0.0.1", port)).close(),
    "a signal to the parent": lambda: os.kill(parent, 0),
    "the parent's memory": read_memory,
    "trace the parent": lambda: ptrace(),
}

def ptrace():
    seize = 0x4206  # It ends with this process, and does not stop the parent, as PTRACE_ATTACH does.
    if libc.ptrace(seize, parent, None, None):
        raise OSError(ctypes.get_errno(), "not traced")

def works(attempt):
    try:
        attempt()
    except OSError:
        return False
    return True

before = [name for name, attempt in ATTEMPTS.items() if not name.startswith(("delete", "rename")) and works(attempt)]
confine(3, 2**30)
inside = [name for name, attempt in ATTEMPTS.items() if works(attempt)]
try:
    raise_limits()
except (OSError, ValueError):
    pass
raised = [name for name, attempt in ATTEMPTS.items() if works(attempt)]
print(json.dumps([before, inside, raised]))
"""


@pytest.fixture
def decoder(pristine: Project) -> Path:
    """Return the path of a generated project's decoder."""
    return pristine(ALL_OFF) / "uploads" / "decoder.py"


def decode(decoder: Path, content: bytes) -> Image.Image:
    """Return the first variant of an image."""
    command = [sys.executable, "-I", str(decoder), *LIMITS]
    answer = subprocess.run(command, input=content, check=True, capture_output=True, env={}).stdout
    head, _, files = answer.partition(b"\n")
    return Image.open(BytesIO(files[: json.loads(head)["lengths"][0]]))


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_confined_process_reaches_nothing(decoder: Path, tmp_path: Path) -> None:
    secret = ctypes.create_string_buffer(b"the key of the parent")
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "probe.py").write_text(PROBE, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = [str(tmp_path / "secret"), str(server.getsockname()[1]), str(ctypes.addressof(secret)), "21"]
        command = [sys.executable, "-I", str(tmp_path / "probe.py"), str(decoder), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, env={}, cwd="/")
    before, inside, raised = json.loads(done.stdout)
    reachable = {"read a file", "a TCP connection", "a signal to the parent", "the parent's memory", "trace the parent"}
    assert reachable <= set(before)
    assert inside == []
    # Root can raise the limit of open files again. Landlock holds for root too, but does not know sockets.
    assert set(raised) <= {"a socket"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_mutated_files_are_refused_or_reencoded_within_the_limits(decoder: Path) -> None:
    seed = str(randbits(32))
    command = [sys.executable, "-I", str(FUZZ), str(decoder), seed, str(FUZZED_FILES)]
    report = subprocess.run(command, check=False, capture_output=True, text=True)
    assert report.returncode == 0, f"seed {seed}: {report.stdout}{report.stderr}"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "MPO"])
def test_orientation_is_applied(decoder: Path, form: str) -> None:
    upright = Image.new("RGB", (90, 60), "white")
    for color, place in {"red": (0, 0), "lime": (60, 0), "blue": (0, 30)}.items():
        upright.paste(color, (*place, place[0] + 30, place[1] + 30))
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned = upright.transpose(Image.Transpose(inverse[orientation])) if orientation > 1 else upright
        more = {"save_all": True, "append_images": [turned]} if form == "MPO" else {}
        shown = decode(decoder, encode(turned, form, exif=exif, quality=95, **more))
        assert shown.size == upright.size
        for place in ((15, 15), (75, 15), (15, 45), (75, 45)):
            assert distance(shown, upright, place) < 40, f"orientation {orientation}"


def distance(one: Image.Image, two: Image.Image, place: tuple[int, int]) -> int:
    """Return the greatest difference of a pixel's channels."""
    box = (*place, place[0] + 1, place[1] + 1)
    return max(ImageChops.difference(one.crop(box), two.crop(box)).tobytes())


def test_transparency_and_16_bits_are_right(decoder: Path) -> None:
    clear = Image.new("RGBA", (9, 9), (255, 0, 0, 0))
    half = Image.new("LA", (9, 9), (0, 128))
    gray = Image.new("I;16", (9, 9), 32768)
    expected = {
        255: [
            encode(clear, "PNG"),
            encode(clear, "WEBP", lossless=True),
            encode(clear.convert("P"), "PNG", transparency=0),
        ],
        127: [encode(half, "PNG"), encode(gray, "PNG")],
    }
    for level, files in expected.items():
        for content in files:
            shown = decode(decoder, content)
            assert distance(shown, Image.new("RGB", (9, 9), (level,) * 3), (4, 4)) <= 2
