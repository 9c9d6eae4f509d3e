"""Where the site keeps files."""

import os
from pathlib import PurePath
from typing import Any

from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class SyncedFileSystemStorage(FileSystemStorage):
    """Write a file to the disk before it counts as saved.

    Otherwise a power failure would empty or remove files of the last half minute, whose
    rows the database has written.
    """

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc]  # no stub
        self.sync(saved, os.O_RDWR)
        if os.name == "posix":  # Windows cannot open a folder
            # Up to the folder of the storage: each of them may be new.
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
    """Leave source maps out: a library may name one and come without it."""

    patterns = tuple(
        (files, without_source_maps(patterns))
        for files, patterns in CompressedManifestStaticFilesStorage.patterns
    )
