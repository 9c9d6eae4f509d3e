"""The decoder's process: its reach for an attacker, mutated files, and true pixels."""

import json
import os
import platform
import runpy
import shutil
import signal
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from secrets import randbits
from tempfile import TemporaryDirectory

import pytest
from PIL import ExifTags, Image, ImageChops

from secure_django.photos.images import DECODER
from tests.support.baking import run
from tests.support.images import encode

pytestmark = pytest.mark.tier("whole")

FUZZ = Path(__file__).with_name("decoder_fuzz.py")
FUZZED_FILES = 2500
LIMITS = (str(os.getpid()), "1", "3", str(2**30), "50000000", "2000", "480")

# Tries what an attacker would, first in processes of their own, and then confined like
# the decoder. Prints what works, and how the rest is refused. Arguments: the decoder, a
# folder, a user, and whether to use the filter.
PROBE = """
import ctypes, errno, json, os, platform, resource, runpy, signal, socket, sys, time
decoder, folder, user, filtered = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
confine = runpy.run_path(decoder)["confine"]
libc = ctypes.CDLL(None, use_errno=True)
if user:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    # A process that changed its user hides its memory from others of the same user.
    libc.prctl(4, 1, 0, 0, 0)
file = folder + "/file"
open(file, "w").close()
key = ctypes.create_string_buffer(b"the key of the site")
reader, writer = os.pipe()
if not (site := os.fork()):  # another process of the same user, until this one ends
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)

def call(function, *arguments):
    if function(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")

class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

def read_memory():
    buffer = ctypes.create_string_buffer(19)
    local = Vector(ctypes.addressof(buffer), 19)
    remote = Vector(ctypes.addressof(key), 19)
    both = ctypes.byref(local), 1, ctypes.byref(remote), 1
    call(libc.process_vm_readv, site, *both, 0)

x86 = platform.machine() == "x86_64"
KILL, SEIZE, NEW_USER, PRIVATE, SESSION = 0, 0x4206, 0x10000000, 0, -3
ATTEMPTS = {
    "open": lambda: open(file).close(),
    "stat": lambda: os.stat(file),
    "list": lambda: os.listdir("/"),
    "chmod": lambda: os.chmod(file, 0o777),
    "utime": lambda: os.utime(file, (1, 1)),
    "setxattr": lambda: os.setxattr(file, "user.a", b"a"),
    "mkdir": lambda: os.mkdir(f"{folder}/{os.getpid()}"),
    "rename": lambda: os.rename(file, file + "2"),
    "unlink": lambda: os.unlink(file + "2"),
    "environ": lambda: open(f"/proc/{site}/environ").close(),
    "memfd_create": lambda: os.memfd_create("a"),
    "socket": lambda: socket.socket().close(),
    "kill": lambda: os.kill(site, KILL),
    "prlimit": lambda: resource.prlimit(site, resource.RLIMIT_NOFILE, (9, 9)),
    "setpriority": lambda: os.setpriority(os.PRIO_PROCESS, site, 19),
    "sched_setaffinity": lambda: os.sched_setaffinity(
        site, {min(os.sched_getaffinity(site))}
    ),
    "pidfd_open": lambda: os.pidfd_open(site),
    "process_vm_readv": read_memory,
    "ptrace": lambda: call(libc.ptrace, SEIZE, site, None, None),
    "fork": lambda: os.fork() or os._exit(0),
    "execve": lambda: os.execve("/bin/true", ["true"], {}),
    "shmget": lambda: call(libc.shmget, PRIVATE, 4096, 0o1600),
    "unshare": lambda: call(libc.unshare, NEW_USER),
    "add_key": lambda: call(
        libc.syscall, 248 if x86 else 217, b"user", b"a", b"a", 1, SESSION
    ),
    "io_uring_setup": lambda: call(
        libc.syscall, 425, 1, ctypes.create_string_buffer(120)
    ),
    "x32": lambda: call(libc.syscall, 0x40000000 + 39),
}

def attempt(name):
    try:
        ATTEMPTS[name]()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "works"

def in_a_process(name):
    if not (pid := os.fork()):
        os._exit(attempt(name) != "works")
    return "works" if os.waitpid(pid, 0)[1] == 0 else "fails"

before = {name: in_a_process(name) for name in ATTEMPTS}
for name in (file, file + "2"):
    open(name, "w").close()
if not filtered:
    confine.__globals__["has_filter"] = lambda: False
confined = confine(3, 2**30)
after = {name: attempt(name) for name in ATTEMPTS}
print(json.dumps([before, confined, after]), flush=True)
os._exit(0)
"""
# Calls the kernel as a 32-bit program would, for its process id.
FOREIGN_CALL = """
import ctypes, mmap, runpy, sys
if sys.argv[1:]:
    runpy.run_path(sys.argv[1])["confine"](3, 2**30)
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
HEADER = struct.Struct(">4I")
# What works in containers too.
REACHABLE = {
    *(
        "open",
        "stat",
        "list",
        "chmod",
        "utime",
        "mkdir",
        "rename",
        "unlink",
        "environ",
        "memfd_create",
        "socket",
    ),
    *(
        "kill",
        "prlimit",
        "setpriority",
        "sched_setaffinity",
        "process_vm_readv",
        "ptrace",
    ),
    *("fork", "execve", "shmget"),
}
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def decode(content: bytes) -> Image.Image:
    """Return the first variant of an image."""
    command = [sys.executable, "-I", str(DECODER), *LIMITS]
    answer = subprocess.run(
        command, input=content, check=True, capture_output=True, env={}
    ).stdout
    end = HEADER.size + HEADER.unpack_from(answer)[2]
    return Image.open(BytesIO(answer[HEADER.size : end]))


def probe(user: int, filtered: int) -> tuple[dict[str, str], bool, dict[str, str]]:
    """Return what works before and after a process is confined like the decoder.

    Between the two is whether it is confined.
    """
    if user and os.geteuid():
        pytest.skip("only root can become another user")
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        command = [
            sys.executable,
            "-I",
            "-c",
            PROBE,
            str(DECODER),
            folder,
            str(user),
            str(filtered),
        ]
        done = subprocess.run(command, check=True, capture_output=True, env={}, cwd="/")
    before, confined, after = json.loads(done.stdout)
    return before, confined, after


@needs_linux
@pytest.mark.parametrize("user", [0, 65534])
def test_confined_process_can_only_compute(user: int) -> None:
    before, confined, after = probe(user, filtered=1)
    failed = {name for name in REACHABLE if before[name] != "works"}
    assert not failed
    assert confined
    assert set(after.values()) == {"EPERM"}


@needs_linux
@pytest.mark.parametrize("user", [0, 65534])
def test_landlock_protects_files_and_other_processes_where_there_is_no_filter(
    user: int,
) -> None:
    _, confined, after = probe(user, filtered=0)
    if not confined:
        pytest.skip("this kernel has no Landlock, or one that knows no signals")
    refused = {
        "open",
        "list",
        "mkdir",
        "rename",
        "unlink",
        "environ",
        "kill",
        "process_vm_readv",
        "ptrace",
        "execve",
    }
    allowed = {name for name in refused if after[name] == "works"}
    assert not allowed
    # Why it is only the second choice.
    assert after["prlimit"] == "works"


@needs_linux
def test_confined_process_cannot_call_as_another_architecture() -> None:
    command = [sys.executable, "-c", FOREIGN_CALL]
    if (
        platform.machine() != "x86_64"
        or subprocess.run(command, check=False).returncode
    ):
        pytest.skip("this machine runs no 32-bit programs")
    process = subprocess.run([*command, str(DECODER)], check=False)
    assert process.returncode == -signal.SIGSYS


@pytest.mark.skipif(
    not shutil.which("scmp_sys_resolver"), reason="libseccomp's tools are not installed"
)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_numbers_of_system_calls_are_those_of_libseccomp(
    machine: str,
) -> None:
    module = runpy.run_path(str(DECODER))
    column = module["ARCHITECTURES"][machine][1]
    for name, numbers in module["SYSTEM_CALLS"].items():
        number = run(DECODER.parent, "scmp_sys_resolver", "-a", machine, name)
        assert number.strip() == str(numbers[column]), name


@needs_linux
def test_mutated_files_are_refused_or_reencoded_within_the_limits() -> None:
    seed = str(randbits(32))
    command = [sys.executable, "-I", str(FUZZ), str(DECODER), seed, str(FUZZED_FILES)]
    report = subprocess.run(command, check=False, capture_output=True, text=True)
    assert report.returncode == 0, f"seed {seed}: {report.stdout}{report.stderr}"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "MPO"])
def test_orientation_is_applied(form: str) -> None:
    upright = Image.new("RGB", (90, 60), "white")
    for color, place in {"red": (0, 0), "lime": (60, 0), "blue": (0, 30)}.items():
        upright.paste(color, (*place, place[0] + 30, place[1] + 30))
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        turned = upright
        if orientation > 1:
            turned = upright.transpose(Image.Transpose(inverse[orientation]))
        more = {"save_all": True, "append_images": [turned]} if form == "MPO" else {}
        shown = decode(encode(turned, form, exif=exif, quality=95, **more))
        assert shown.size == upright.size
        for place in ((15, 15), (75, 15), (15, 45), (75, 45)):
            assert distance(shown, upright, place) < 40, f"orientation {orientation}"


def distance(one: Image.Image, two: Image.Image, place: tuple[int, int]) -> int:
    """Return the greatest difference of a pixel's channels."""
    box = (*place, place[0] + 1, place[1] + 1)
    difference = ImageChops.difference(one.crop(box), two.crop(box))
    return max(difference.tobytes())
