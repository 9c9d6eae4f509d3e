from typing import Any, Never

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler

from secure_django.photos.images import upload_error


def refuse(*args: Any, **kwargs: Any) -> Never:
    raise upload_error("too_large")


class RefusedFile(UploadedFile):
    """A placeholder for a file that was too large.

    Any use raises the error, which forms show at the field of the file.
    """

    size = property(refuse, lambda self, value: None)
    open = read = chunks = multiple_chunks = __iter__ = refuse


class MaxSizeUploadHandler(MemoryFileUploadHandler):
    """Keep files in memory, each up to UPLOAD_MAX_BYTES.

    BODY_MAX_BYTES limits all files of a request together. Temporary files would remain
    when a process is killed. A larger file is read, and then discarded: unread, it
    would reset the connection, and the fields after it would be missing.
    """

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True

    def file_complete(self, file_size: int) -> UploadedFile | None:
        if file_size > settings.UPLOAD_MAX_BYTES:
            self.file.close()  # so that nothing can read it around the methods above
            return RefusedFile(self.file, str(self.file_name))
        return super().file_complete(file_size)
