"""S3 and its likes: the only module that talks to boto3.

Holds what no version control should (weights, archives of runs), each object with the sha256 of
its bytes, so that what comes back is what was put.
"""

import hashlib
from pathlib import Path
from typing import Any

from components.errors import SealError, StoreError

_DIGEST = "sha256"  # name of the metadata entry


class ObjectStore:
    """One bucket. Endpoint and credentials are arguments; unset, boto3's own search applies."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        region: str = "us-east-1",
    ) -> None:
        import boto3
        from botocore.config import Config

        self.bucket = bucket
        self._where = endpoint_url or "AWS"
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name=region,
            config=Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3}),
        )

    def create_bucket_if_absent(self) -> bool:
        """Create the bucket; return whether it was new.

        Raises:
            StoreError: the store cannot be reached or refuses.
        """
        if self._call("head_bucket", absent=("404", "NoSuchBucket")) is not None:
            return False
        self._call("create_bucket")
        return True

    def put_file(self, path: Path, key: str) -> str:
        """Store a file with its sha256, skipped when the same bytes are there; return the sha256.

        Raises:
            StoreError: the file is missing, or the store cannot be reached or refuses.
        """
        if not path.is_file():
            raise StoreError("E176", f"{path} is not a file: nothing to store.", "Check the path.")
        digest = _sha256(path)
        if self.digest(key) != digest:
            self._transfer("upload_file", str(path), key, ExtraArgs={"Metadata": {_DIGEST: digest}})
        return digest

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> Path:
        """Fetch an object to ``path``, which appears only once its bytes are verified.

        Args:
            key: the object's name.
            path: where it goes; an existing file is replaced.
            sha256: what the bytes must be; by default what was recorded when it was put.

        Raises:
            StoreError: no such object, or the store cannot be reached.
            SealError: other bytes came than were put.
        """
        if not self.exists(key):
            raise StoreError("E177", f"{self._name(key)} does not exist.", "List the bucket.")
        expected = sha256 or self.digest(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        self._transfer("download_file", key, str(part))
        found = _sha256(part)
        if expected is not None and found != expected:
            part.unlink()
            raise SealError(
                "E178",
                f"{self._name(key)}: sha256 is {found[:12]}…, recorded {expected[:12]}….",
                "The object was changed after it was put: put it again from its source.",
            )
        return part.replace(path)

    def exists(self, key: str) -> bool:
        """Return whether the object is there."""
        return self._head(key) is not None

    def digest(self, key: str) -> str | None:
        """Return the sha256 recorded with the object; None where there is none."""
        head = self._head(key)
        return head["Metadata"].get(_DIGEST) if head else None

    def keys(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names under a prefix, sorted."""
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self._client.get_paginator("list_objects_v2")
        try:
            found = [
                entry["Key"]
                for page in pages.paginate(Bucket=self.bucket, Prefix=prefix)
                for entry in page.get("Contents", [])
            ]
        except (BotoCoreError, ClientError) as error:
            raise self._refused(error) from error
        return tuple(sorted(found))

    def _head(self, key: str) -> dict[str, Any] | None:
        return self._call("head_object", absent=("404", "NoSuchKey"), Key=key)

    def _call(
        self, operation: str, *, absent: tuple[str, ...] = (), **arguments: Any
    ) -> dict[str, Any] | None:
        """Call the client; an error code of ``absent`` gives None."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                Bucket=self.bucket, **arguments
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in absent:
                return None
            raise self._refused(error) from error
        except BotoCoreError as error:
            raise self._refused(error) from error
        return answer

    def _transfer(self, operation: str, *arguments: Any, **extra: Any) -> None:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        first, second = arguments
        ordered = (first, self.bucket, second)
        if operation == "download_file":
            ordered = (self.bucket, first, second)
        try:
            getattr(self._client, operation)(*ordered, **extra)
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise self._refused(error) from error

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{key} ({self._where})"

    def _refused(self, error: Exception) -> StoreError:
        return StoreError(
            "E179",
            f"s3://{self.bucket} at {self._where}: {error}",
            "Check the address, the bucket and the credentials.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
