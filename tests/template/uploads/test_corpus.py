"""Malicious and damaged files, sent to a server: each is rejected or re-encoded.

A rejected one gets its error code.
"""

import json
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

from tests.support.corpus import BOMBS, FILES, File
from tests.support.live import OWNER, Site, Visitor
from tests.support.uploads import (
    CAN_MEASURE,
    megabytes,
    reset_peak,
    seconds,
    stored_files,
)

pytestmark = pytest.mark.tier("whole")

# Processor time for a file, which other processes hardly affect: 3 seconds of a
# decoder, and what surrounds it. Two decoders would take more.
MAX_SECONDS = 5
# Of the server itself. A decoder's address space is limited to 1 GiB for any image.
MAX_MEGABYTES = 100


@pytest.fixture(scope="module")
def uploader(site: Site) -> Visitor:
    """Return a logged-in visitor."""
    return site.visitor(OWNER)


@pytest.fixture
def resource_limits(site: Site) -> Iterator[None]:
    """Check the processor time and memory that a test costs the server (Linux only)."""
    if not CAN_MEASURE:
        yield
        return
    (worker,) = site.workers()
    reset_peak(worker)
    resting, started = megabytes(worker, "VmRSS"), seconds(worker)
    yield
    assert site.workers() == [worker], "the server process died"
    costs = seconds(worker) - started, megabytes(worker, "VmHWM") - resting
    assert costs[0] < MAX_SECONDS
    assert costs[1] < MAX_MEGABYTES


@pytest.mark.usefixtures("resource_limits")
@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_malicious_file_is_rejected_or_reencoded(
    file: File, site: Site, uploader: Visitor
) -> None:
    content, token, before = (
        file.make(),
        uploader.token("/photos/upload/"),
        stored_files(site),
    )
    logged, slow = site.log.stat().st_size, file in BOMBS.values()
    response = uploader.upload(content, file.name, token=token)

    log = site.log.read_bytes()[logged:].decode().splitlines()
    errors = [
        line["code"]
        for line in map(json.loads, log)
        if line["event"] == "upload_validation"
    ]
    # Slow machines do not finish every image that others do.
    if errors != ["too_slow"] or not slow:
        assert errors == ([file.error] if file.error else [])
    new = stored_files(site) - before
    if errors:
        assert response.status == (413 if file.error == "too_large" else 200)
        assert not new
    else:
        assert (response.status, response.location) == (302, "/photos/mine/")
        assert {path.stem.rpartition("-")[2] for path in new} == {
            "display",
            "thumbnail",
        }
        for path in new:
            assert b"MALICIOUS-MARKER" not in path.read_bytes()
            assert b"<?php" not in path.read_bytes()
            image = Image.open(BytesIO(path.read_bytes()))
            assert set(image.info) <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
            }
    assert "MALICIOUS-MARKER" not in response.text
