"""Stops reading an upload that is too large, while it comes in."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class LimitUploadHandler(FileUploadHandler):
    """Counts the files of a request together and stops at UPLOAD_MAX_BYTES.

    The rest of the body is read and thrown away instead of cutting the connection: a browser
    only shows the answer to a request that it could send whole.
    """

    received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MAX_BYTES:
            setattr(self.request, "upload_too_large", True)  # noqa: B010
            # Django would read the rest line by line, and a line may be as long as the body.
            while self.request and self.request.read(2**16):
                pass
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> Any:
        return None  # the next handler makes the file
