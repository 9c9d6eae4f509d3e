"""Measure what an upload costs a server (Linux), and find the files it stores."""

import os
from pathlib import Path

from tests.support.live import Site

CAN_MEASURE = Path("/proc/self/clear_refs").exists()


def seconds(pid: int) -> float:
    """Return the seconds of processor time of a process and its ended children."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    fields = stat.rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int, name: str) -> float:
    """Return a memory figure in MiB: `VmRSS` is the present one, `VmHWM` the peak."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    kibibytes = status.partition(f"{name}:")[2].split()[0]
    return int(kibibytes) / 1024


def reset_peak(pid: int) -> None:
    """Start a new measurement of the peak memory of a process."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def stored_files(site: Site) -> set[Path]:
    """Return every file in the site's media folder."""
    media = Path(site.environment["MEDIA_ROOT"])
    return {path for path in media.rglob("*") if path.is_file()}
