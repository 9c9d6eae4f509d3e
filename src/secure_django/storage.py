"""Where the site keeps files."""

import os
from pathlib import PurePath
from typing import Any

from django.core.files.storage import FileSystemStorage

from secure_django.extras import importing

with importing("secure_django.storage", extra="site"):
    from whitenoise.storage import CompressedManifestStaticFilesStorage


class SyncedFileSystemStorage(FileSystemStorage):
    """Write a file to the disk before it counts as saved.

    Otherwise, a power failure could empty or remove files of the last half minute,
    although the database has stored their rows.
    """

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc]  # no stub
        self.sync(saved, os.O_RDWR)
        if os.name == "posix":  # Windows cannot open a folder
            # Each folder up to the storage's own may be new.
            for folder in PurePath(saved).parents:
                self.sync(str(folder), os.O_RDONLY)
        return saved

    def sync(self, name: str, flags: int) -> None:
        descriptor = os.open(self.path(name), flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def without_source_maps(patterns: Any) -> tuple[Any, ...]:
    return tuple(
        pattern for pattern in patterns if "sourceMappingURL" not in str(pattern)
    )


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Ignore source maps: a library may name one that it does not contain."""

    patterns = tuple(
        (files, without_source_maps(patterns))
        for files, patterns in CompressedManifestStaticFilesStorage.patterns
    )
