from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class MaxSizeUploadHandler(FileUploadHandler):
    """Stop an upload when the files of the request exceed UPLOAD_MAX_BYTES together.

    The rest of the request body is read and discarded. Without that, the connection would be reset
    and the browser would not show the response.
    """

    received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MAX_BYTES:
            setattr(self.request, "upload_too_large", True)  # noqa: B010
            # Django would read the rest by lines, and one line can be as long as the body.
            while self.request and self.request.read(2**16):
                pass
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> Any:
        return None  # the next handler returns the file
