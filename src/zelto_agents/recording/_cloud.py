"""Buckets of S3 (and what speaks like it), Google Cloud Storage and Azure, through obstore.

Its transfers run in Rust, off the event loop. Credentials, regions and endpoints are read from the
variables that the stores' own tools have: ``AWS_...``, ``GOOGLE_...``, ``AZURE_...``.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from zelto_agents.recording._answers import Found, Hopeless, NotYet, Unresolved
from zelto_agents.settings import is_loopback

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

__all__ = ["CloudStore"]

# Memory is a few parts, whatever the file's size; S3 takes 10,000 parts, which is 50 GB here.
_PART = 5 * 1024 * 1024
_PARTS_AT_ONCE = 3
_LONGEST = 7 * 86_400.0
# What a role lends is renewed at least this long before its end, and URLs end with it.
_LENT = 300.0
# Google replaces the keys it signs with itself; each signature holds at least so long.
_GOOGLES_OWN = 12 * 3600.0
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_HOSTS = {
    "s3": re.compile(r"s3[a-z0-9.-]*\.amazonaws\.com(\.cn)?"),
    "gs": re.compile(r"storage\.googleapis\.com"),
    "az": re.compile(r"[a-z0-9]+\.blob\.core\.windows\.net"),
}
_NAMED = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_ACCOUNTS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
)
_GONE = {"NoSuchKey", "BlobNotFound"}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}
_REFUSED = {"AuthenticationFailed", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken"}


class CloudStore:
    """One bucket.

    Args:
        place: scheme, bucket, and the prefix of what is uploaded, which may be empty.
        public_url: where what is under the prefix is served to everybody.
        url_life: seconds for which a URL is signed otherwise.
        environ: where credentials and endpoints come from; obstore reads the process's own.
    """

    def __init__(
        self,
        place: tuple[str, str, str],
        public_url: str | None,
        url_life: float,
        environ: Mapping[str, str],
    ) -> None:
        self._scheme, self._bucket, self._prefix = place
        self._public_url = public_url
        self._url_life = min(url_life, _LONGEST)
        self._environ = environ
        self._opened: S3Store | GCSStore | AzureStore | None = None

    @property
    def _name(self) -> str:
        return f"{self._scheme}://{self._bucket}"

    @property
    def _endpoint(self) -> str:
        if self._scheme != "s3":
            return ""
        return next((self._environ[name] for name in _ENDPOINTS if self._environ.get(name)), "")

    def key_of(self, name: str) -> str:
        """The prefix and the name."""
        return f"{self._prefix}/{name}" if self._prefix else name

    def key_at(self, location: str) -> str | None:
        """The key behind any of the forms in which an object of this bucket is addressed."""
        scheme, _, rest = location.partition("://")
        if scheme == self._scheme:
            bucket, _, key = rest.partition("/")
            return key if bucket == self._bucket and key else None
        parts = urlsplit(location)
        host, path = (parts.hostname or "").lower(), unquote(parts.path).lstrip("/")
        if scheme not in ("http", "https") or not path:
            return None
        endpoint = urlsplit(self._endpoint).hostname or ""
        own = host if self._scheme == "az" else host.removeprefix(f"{self._bucket}.")
        if own != endpoint and not _HOSTS[self._scheme].fullmatch(own):
            return None
        if own != host:
            return path
        bucket, _, key = path.partition("/")
        return key if bucket == self._bucket and key else None

    async def put(self, path: Path, key: str, media_type: str) -> None:
        """Upload in parts that are read as they are sent."""
        store = self._open()
        import obstore

        with self._answering(f"{path.name} cannot be uploaded"):
            await obstore.put_async(
                store,
                key,
                path,
                attributes={"Content-Type": media_type},
                chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def find(self, key: str) -> Found:
        """The public URL, or one that is signed now."""
        store = self._open()
        import obstore

        size = None
        with self._answering(f"{key} cannot be read"), contextlib.suppress(FileNotFoundError):
            size = (await obstore.head_async(store, key))["size"]
        if size is None:
            raise await self._missing(store, key)
        if not size:
            raise Unresolved(Hopeless(f"{key} in {self._name} is empty"))
        public = self._public(key)
        if public is not None:
            return Found(public, None, ("object", key))
        now = int(time.time())  # stores reckon in whole seconds
        with self._answering(f"no URL of {key} can be signed"):
            url = await obstore.sign_async(store, "GET", key, timedelta(seconds=self._url_life))
        return Found(url, now + min(self._url_life, self._trusted()), ("object", key))

    async def _missing(self, store: S3Store | GCSStore | AzureStore, key: str) -> Unresolved:
        """The answer to HEAD has no body, which would say whether it is the bucket that is gone."""
        import obstore

        with self._answering(f"{key} cannot be read"):
            try:
                await obstore.get_async(store, key)
            except FileNotFoundError as fault:
                code = _CODE.search(str(fault))
                if code is None or code[1] not in _GONE:
                    raise
                return Unresolved(Hopeless(f"{key} is not in {self._name} any more"))
        return Unresolved(NotYet(f"{key} has only just come into {self._name}"))

    def _public(self, key: str) -> str | None:
        """Only what is under the prefix is served; the rest of a bucket need not be."""
        start = self.key_of("")
        if not self._public_url or not key.startswith(start):
            return None
        return f"{self._public_url.rstrip('/')}/{quote(key.removeprefix(start))}"

    def _trusted(self) -> float:
        """For how many seconds the credential that signs is sure to hold."""
        environ = self._environ
        if self._scheme == "s3":
            lent = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_TOKEN")
            return _LENT if lent or not environ.get("AWS_ACCESS_KEY_ID") else _LONGEST
        if self._scheme == "gs" and not any(environ.get(name) for name in _ACCOUNTS):
            return _GOOGLES_OWN
        return _LONGEST

    def _open(self) -> S3Store | GCSStore | AzureStore:
        if self._opened is not None:
            return self._opened
        try:
            from obstore import store as stores
        except ImportError:
            why = f'{self._name} needs an extra: pip install "zelto-agents[recording]"'
            raise Unresolved(NotYet(why)) from None
        kinds = {"s3": stores.S3Store, "gs": stores.GCSStore, "az": stores.AzureStore}
        with self._answering("it cannot be opened"):
            self._opened = kinds[self._scheme](
                self._bucket,
                client_options={
                    "connect_timeout": timedelta(seconds=5),
                    "timeout": timedelta(seconds=120),  # one part, on a slow line
                    "allow_http": self._may_be_plain(),
                },
                # The pending recording is looked for again, later and for longer.
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=60)},
            )
        return self._opened

    def _may_be_plain(self) -> bool:
        """Given any options, obstore reads this variable no more."""
        allowed = self._environ.get(f"{_NAMED[self._scheme]}_ALLOW_HTTP", "").strip().lower()
        plain = self._endpoint.startswith("http://")
        if allowed in ("1", "true", "yes", "on") or (plain and is_loopback(self._endpoint)):
            return True
        if plain:
            why = "the endpoint of S3 is plain http to another machine: use https, or set "
            raise Unresolved(NotYet(f"{why}AWS_ALLOW_HTTP=true"))
        return False

    @contextlib.contextmanager
    def _answering(self, what: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as fault:
            raise self._unresolved(fault, what) from None

    def _unresolved(self, fault: Exception, what: str) -> Unresolved:
        """What is wrong, in words of our own: the store's text may quote keys."""
        text = str(fault)
        found = _CODE.search(text)
        code = found[1] if found else ""
        kind = type(fault).__name__
        if code in _NO_BUCKET:
            how = f"there is no {self._name}: create it, or correct ZELTO_RECORDINGS"
        elif kind in ("PermissionDeniedError", "UnauthenticatedError") or code in _REFUSED:
            how = f"{self._name} refuses the credential ({code or kind}): check "
            how += f"{_NAMED[self._scheme]}_... and what it may do (read, write)"
        elif code in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
            how = f"{self._name} is in another region: set AWS_REGION"
        elif "/latest/api/token" in text or "metadata.google.internal" in text:
            how = f"there is no credential for {self._name}: set {_NAMED[self._scheme]}_..."
        elif not code and "error sending request" in text:
            where = urlsplit(self._endpoint).netloc.rpartition("@")[2] or self._name
            how = f"{where} does not answer"
        else:
            how = f"{self._name} says {code or kind}"
        return Unresolved(NotYet(f"{what}: {how}"))
