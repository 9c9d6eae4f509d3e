from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload

from uploads.images import upload_error


class MaxSizeUploadHandler(MemoryFileUploadHandler):
    """Keep a request's files in memory, up to UPLOAD_MAX_BYTES. Temporary files would outlive a killed process."""

    received = 0

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MAX_BYTES:
            # The view reports the error. Unread, the rest of the body would reset the connection before that.
            setattr(self.request, "upload_refusal", upload_error("too_large"))  # noqa: B010
            # Django would read the rest by lines, and one line can be as long as the body.
            while self.request and self.request.read(2**16):
                pass
            raise StopUpload(connection_reset=False)
        return super().receive_data_chunk(raw_data, start)
