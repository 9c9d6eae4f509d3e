"""Output of a decoder that an attacker controls: its cost, and mutated true answers."""

import json
import sys
from pathlib import Path
from secrets import randbits

import pytest

from tests.support.baking import run
from tests.support.images import camera_file, landscape
from tests.support.inplace import SITE

pytestmark = pytest.mark.tier("whole")

# Uploads a photo: with the decoder of the project, then with others; prints each error,
# and what it cost this process: peak memory in KiB, seconds of processor time. No clock
# ends a decoder.
UPLOAD = """
import json, re, sys, time
from pathlib import Path
import django
django.setup()
from django.core.exceptions import ValidationError
from secure_django.photos import images
images.WALL_SECONDS = 10_000
photo, results = Path(sys.argv[1]).read_bytes(), []
for decoder in [images.DECODER, *map(Path, sys.argv[2:])]:
    images.DECODER = decoder
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    started, error = time.process_time(), ""
    try:
        images.validate_and_reencode(photo)
    except ValidationError as refused:
        error = refused.code
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    results.append((error, peak, time.process_time() - started))
print(json.dumps(results))
"""
# Mutates a decoder's answer, and prints how often the web process took something that
# it must not.
MUTATE = """
import json, random, struct, sys
from io import BytesIO
import django
django.setup()
from secure_django.photos import images
head, start = struct.Struct(">4I"), b"\\xff\\xd8\\xff"
files = start + bytes(5000), start + bytes(900)
answers = [head.pack(2000, 1500, *map(len, files)) + b"".join(files)]
answers += images.DECODER_ERRORS
random, wrong, accepted = random.Random(int(sys.argv[1])), [], 0
for number in range(9000):
    data = bytearray(random.choice(answers))
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(min(len(data), random.choice((16, 40, len(data)))) or 1)
        size = random.choice((1, 2, 4, 16))
        match random.randrange(5):
            case 0: data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                byte = random.choice((b"\\0", b"\\xff", b"\\x7f"))
                data[at : at + size] = byte * size
            case 2: data[at:at] = random.randbytes(size)
            case 3: del data[at : at + size]
            case 4: data += data[at : at + size]
        data = data or bytearray(1)
    answer = images.read_answer(BytesIO(data))
    if isinstance(answer, images.ReencodedImage):
        accepted += 1
        lengths = [len(file) for file in answer.files.values()]
        good = head.unpack_from(data) == (answer.width, answer.height, *lengths)
        good = good and sum(lengths) + 16 == len(data)
        good = good and all(file.startswith(start) for file in answer.files.values())
        good = good and 0 < answer.width <= 2000 and 0 < answer.height <= 2000
    else:
        good = not answer or bytes(data) in images.DECODER_ERRORS
    if not good:
        wrong.append(data.hex())
print(json.dumps([accepted, wrong]))
"""
PREAMBLE = """
import struct, sys, time
def write(*parts):
    for part in parts:
        sys.stdout.buffer.write(part)
def answer(width, height, *files, lengths=()):
    write(struct.pack(">4I", width, height, *(lengths or map(len, files))), *files)
J = b"\\xff\\xd8\\xff"
sys.stdin.buffer.read()
"""
# A decoder goes on after its answer, unless the answer has to be awaited.
GO_ON = "\nsys.stdout.flush()\ntime.sleep(10_000)"
AWAITED = {"less than it says", "nothing"}
MALICIOUS = {
    "nested lists": "write(b'[' + b'[],' * 10_000_000 + b'[]]')",
    "JSON with an infinite size": (
        'write(b\'{"size": [Infinity, 1], "lengths": [1]}\\n\')'
    ),
    "no files": "answer(1, 1, lengths=(0, 0))",
    "negative length": "answer(1, 1, J, J, lengths=(2**32 - 2, 3))",
    "HTML": "answer(1, 1, b'<html>', b'<html>')",
    "a code of the site": "write(b'busy'.ljust(16))",
    "the longest lengths": (
        "answer(1, 1, lengths=(2**32 - 1, 2**32 - 1)); write(*[bytes(2**20)] * 200)"
    ),
    "lengths of gigabytes": (
        "answer(1, 1, lengths=(2**30, 2**30)); write(J, *[bytes(2**20)] * 200)"
    ),
    "more than it says": "answer(1, 1, J, J); write(*[bytes(2**20)] * 200)",
    "less than it says": "answer(1, 1, J, lengths=(4_000_000, 230_000))",
    "as much as it may, and more": (
        "answer(1, 1, J + bytes(3_999_997), J + bytes(230_397)); write(b'.')"
    ),
    "an error and more": "write(b'animated'.ljust(16), bytes(2**24))",
    "nothing": "",
}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a photo of 12 megapixels."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(camera_file(landscape(1, (4000, 3000), 0.25), "x"))
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux measures the peak anew")
def test_malicious_answer_costs_no_more_than_an_honest_photo(
    photo: Path, tmp_path: Path
) -> None:
    decoders = [tmp_path / f"{number}.py" for number in range(len(MALICIOUS))]
    for path, (name, script) in zip(decoders, MALICIOUS.items(), strict=True):
        end = "" if name in AWAITED else GO_ON
        path.write_text(PREAMBLE + script + end, encoding="utf-8")
    command = [sys.executable, "-c", UPLOAD, str(photo), *map(str, decoders)]
    report = run(SITE, *command, DJANGO_SETTINGS_MODULE="site_settings")
    (error, honest, _), *malicious = json.loads(report)
    assert error == ""
    for name, (error, kilobytes, seconds) in zip(MALICIOUS, malicious, strict=True):
        assert error == "crashed", name
        assert kilobytes < 1.2 * honest, name
        assert seconds < 1, name


def test_mutated_answer_is_refused_or_as_good_as_a_true_one() -> None:
    command = [sys.executable, "-c", MUTATE, str(randbits(32))]
    report = run(SITE, *command, DJANGO_SETTINGS_MODULE="site_settings")
    accepted, wrong = json.loads(report)
    # Those whose files were changed behind their first bytes.
    assert accepted > 0
    assert wrong == []
