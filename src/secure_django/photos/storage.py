from typing import Any

from secure_django.extras import importing
from secure_django.photos.models import FILE

with importing("secure_django.photos.storage", extra="s3"):
    from botocore.config import Config
    from storages.backends.s3 import S3Storage


class ObjectStorage(S3Storage):  # type: ignore[misc]  # the package has no types
    """A private bucket of S3-compatible object storage."""

    security_token = None
    querystring_expire = 60  # seconds, for a browser to follow the redirect
    client_config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},  # so that the CSP allows this bucket alone
        # In seconds. With the defaults, a silent server blocks requests for minutes.
        connect_timeout=3,
        read_timeout=10,
        retries={"total_max_attempts": 2},
        # Many servers do not know AWS's checksums.
        request_checksum_calculation="when_required",
    )

    def get_object_parameters(self, name: str) -> dict[str, str]:
        """Let browsers show photos and download the files of other apps.

        This site has encoded the photos.
        """
        # Not by the folder: another app may use the same name.
        if FILE.fullmatch(name):
            return {"ContentType": "image/jpeg"}
        return {
            "ContentType": "application/octet-stream",
            "ContentDisposition": "attachment",
        }

    def exists(self, name: str) -> bool:
        """Return whether the file exists.

        Without a name, raise an error unless the bucket exists.
        """
        if name:
            return bool(super().exists(name))
        client = self.connection.meta.client
        client.list_objects_v2(Bucket=self.bucket_name, MaxKeys=1)
        return True

    def get_modified_time(self, name: str) -> Any:
        # For a missing file, this raises FileNotFoundError as other storages do.
        return self.open(name).obj.last_modified
