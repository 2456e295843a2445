"""Send the two S3 requests of `Store.replace`: read an object with its ETag, and put it if it is unchanged."""

from __future__ import annotations

from typing import Any


def get_tagged(fs: Any, path: str, limit: float) -> tuple[bytes, str]:
    """Return an object and its ETag from a single request. s3fs itself needs two, which may not fit together.

    Args:
        fs: the s3fs client.
        path: bucket and key.
        limit: seconds that the request may last.
    """
    from fsspec.asyn import sync

    bucket, _, key = path.partition("/")

    async def get() -> tuple[bytes, str]:
        answer = await fs._call_s3("get_object", Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            return await body.read(), answer["ETag"]

    got: tuple[bytes, str] = sync(fs.loop, get, timeout=limit)
    return got


def put_if_match(fs: Any, path: str, data: bytes, tag: str, limit: float) -> str:
    """Put an object if it still has this ETag, and return its new ETag; otherwise the server answers 412."""
    bucket, _, key = path.partition("/")
    answer = fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, IfMatch=tag, timeout=limit)
    return str(answer["ETag"])
