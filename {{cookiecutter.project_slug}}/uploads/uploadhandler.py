from typing import Any, Never

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload

from uploads.images import upload_error
from uploads.limits import check_turn


class MaxSizeUploadHandler(MemoryFileUploadHandler):
    """Keep the files of a request in memory, and stop when they exceed UPLOAD_MAX_BYTES together.

    Temporary files would remain when a process is killed. A photo is not even read if its account has to wait.
    """

    received = 0

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        request: Any = self.request
        if request.resolver_match.view_name == "gallery:upload":
            try:
                check_turn(request.user)
            except ValidationError as error:
                self.stop(error)
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self.received += len(raw_data)
        if self.received > settings.UPLOAD_MAX_BYTES:
            self.stop(upload_error("too_large"))
        return super().receive_data_chunk(raw_data, start)

    def stop(self, error: ValidationError) -> Never:
        """Let the view report the error. Unread, the rest of the body would reset the connection before that."""
        setattr(self.request, "upload_refusal", error)  # noqa: B010
        # Django would read the rest by lines, and one line can be as long as the body.
        while self.request and self.request.read(2**16):
            pass
        raise StopUpload(connection_reset=False)
