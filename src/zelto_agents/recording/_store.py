"""Where recordings are uploaded: a bucket, or a folder that somebody serves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote

import anyio.to_thread

from zelto_agents.recording._answers import Found, Hopeless, NotYet, Unresolved
from zelto_agents.recording._files import copy_durably, delete_unfinished

__all__ = ["FolderStore", "Store", "open_store"]

_UNSET = (
    "recordings have nowhere to go: set ZELTO_RECORDINGS to s3://bucket/prefix, gs://..., "
    "az://... or a folder"
)


class Store(Protocol):
    """Keeps files as objects, and says where others can fetch them."""

    def key_of(self, name: str) -> str:
        """The whole key of an object with this name."""
        ...

    def key_at(self, location: str) -> str | None:
        """The key of the object that an address points to; None: it lies elsewhere."""
        ...

    async def put(self, path: Path, key: str, media_type: str) -> None:
        """Store a file as an object, which is there whole or not at all.

        Raises:
            Unresolved: it could not be.
        """
        ...

    async def find(self, key: str) -> Found:
        """The URL of an object that is there.

        Raises:
            Unresolved: it is not, it is empty, or nobody can say.
        """
        ...


def open_store(
    place: str | None, public_url: str | None, url_life: float, environ: Mapping[str, str]
) -> Store:
    """The store that a setting names; nothing is asked yet.

    Args:
        place: ``s3://bucket/prefix``, ``gs://...``, ``az://container/prefix``, or a folder.
        public_url: where its objects are served to everybody.
        url_life: seconds for which a URL is signed otherwise.
        environ: where credentials and endpoints come from.

    Raises:
        Unresolved: nothing is set, or something is missing.
    """
    if not place:
        raise Unresolved(NotYet(_UNSET))
    scheme, separator, rest = place.partition("://")
    if not separator or scheme == "file":
        return FolderStore(Path(rest if separator else place).expanduser(), public_url)
    from zelto_agents.recording._cloud import CloudStore

    bucket, _, prefix = rest.partition("/")
    return CloudStore((scheme, bucket, prefix.strip("/")), public_url, url_life, environ)


class FolderStore:
    """A folder of this machine, or a mounted one, that a web server serves.

    Args:
        folder: made when it is not there.
        public_url: where it is served.
    """

    def __init__(self, folder: Path, public_url: str | None) -> None:
        self._folder = folder
        self._public_url = public_url

    def key_of(self, name: str) -> str:
        """The name itself."""
        return name

    def key_at(self, location: str) -> str | None:
        """Only what starts with the public URL is here."""
        base = f"{(self._public_url or '').rstrip('/')}/"
        return location.removeprefix(base) if base != "/" and location.startswith(base) else None

    async def put(self, path: Path, key: str, media_type: str) -> None:
        """Copy the file; it is on disk then."""
        self._url(key)  # no use in a copy that nobody can fetch
        target = self._folder / key
        try:
            await anyio.to_thread.run_sync(self._copy, path, target)
        except OSError as fault:
            why = f"{path.name} cannot be copied into ZELTO_RECORDINGS ({fault.strerror})"
            raise Unresolved(NotYet(why)) from None

    def _copy(self, path: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        delete_unfinished(target)
        copy_durably(path, target, mode=0o644)

    async def find(self, key: str) -> Found:
        """The public URL, if the file is there."""
        url = self._url(key)
        if ".." in PurePosixPath(key).parts:
            raise Unresolved(Hopeless("the key leads out of the folder of recordings"))
        try:
            size = (await anyio.to_thread.run_sync((self._folder / key).stat)).st_size
        except FileNotFoundError:
            raise Unresolved(Hopeless(f"{key} is not in ZELTO_RECORDINGS any more")) from None
        except OSError as fault:
            why = f"ZELTO_RECORDINGS cannot be read ({fault.strerror})"
            raise Unresolved(NotYet(why)) from None
        if not size:
            raise Unresolved(Hopeless(f"{key} is empty"))
        return Found(url, None, ("object", key))

    def _url(self, key: str) -> str:
        if not self._public_url:
            why = (
                "ZELTO_RECORDINGS is a folder, which nobody can fetch from: set "
                "ZELTO_RECORDINGS_URL to where it is served"
            )
            raise Unresolved(NotYet(why))
        return f"{self._public_url.rstrip('/')}/{quote(key)}"
