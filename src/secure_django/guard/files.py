"""Files that people send."""

import json
from typing import NamedTuple

from django.core.files.uploadedfile import SimpleUploadedFile

from secure_django.guard.rows import Values

PAGE = b"<script>alert('m4rk')</script>"
PHOTO = b"\xff\xd8\xff\xe0 photo"
PAPER = b"%PDF-1.7 paper"
TABLE = "rows.csv"


class Upload(NamedTuple):
    name: str
    content: bytes
    content_type: str

    def file(self) -> SimpleUploadedFile:
        return SimpleUploadedFile(*self)


UPLOADS = [
    Upload("page.html", PAGE, "text/html"),
    Upload("photo.jpg", PHOTO, "image/jpeg"),
    Upload("paper.pdf", PAPER, "application/pdf"),
    Upload("page.pdf", PAGE, "application/pdf"),
]


def table_of(values: Values) -> Upload:
    """Return a CSV file, as for an import."""
    texts = map(str, values.values())
    cells = [json.dumps(text) for text in texts]
    lines = f"{','.join(values)}\n{','.join(cells)}\n"
    return Upload(TABLE, lines.encode(), "text/csv")
