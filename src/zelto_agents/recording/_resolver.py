"""From what is known of a recording to a URL that can be fetched."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from stat import S_ISREG

import anyio.to_thread

from zelto_agents.recording._answers import Found, Hopeless, Kind, NotYet, Unresolved
from zelto_agents.recording._daily import find_at_daily
from zelto_agents.recording._files import media_type, object_name
from zelto_agents.recording._livekit import Egresses
from zelto_agents.recording._store import Store, open_store
from zelto_agents.recording._twilio import Elsewhere, download
from zelto_agents.recording._web import Web
from zelto_agents.settings import environment

__all__ = ["Resolver"]


class Resolver:
    """Looks for recordings, and uploads those that are files; belongs to one event loop.

    Args:
        store: where files go: ``s3://bucket/prefix``, ``gs://...``, ``az://container/prefix``, or
            a folder.
        public_url: where what is uploaded is served to everybody; a folder needs it, and without
            it a bucket's URLs are signed.
        folder: the local folder, next to the outbox, in which files wait; what is in it is ours.
        url_life: seconds for which a URL is signed, 7 days at most.
        twilio_url: where Twilio's API is.
        daily_url: where Daily's API is.
        environ: the variables with the services' credentials; the process's own by default.
            Those of the store are read by obstore, from the process.
    """

    def __init__(
        self,
        *,
        store: str | None,
        public_url: str | None,
        folder: Path,
        url_life: float,
        twilio_url: str = "https://api.twilio.com",
        daily_url: str = "https://api.daily.co/v1",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._place = (store, public_url, url_life)
        self._folder = folder
        self._twilio_url = twilio_url.rstrip("/")
        self._daily_url = daily_url.rstrip("/")
        self._environ = environment() if environ is None else environ
        self._web = Web()
        self._egresses = Egresses(self._web, self._environ)

    @cached_property
    def _store(self) -> Store:
        return open_store(*self._place, self._environ)

    async def resolve(
        self, kind: Kind, reference: str, external_id: str
    ) -> Found | NotYet | Hopeless:
        """Look for one recording; whatever goes wrong is an answer.

        Args:
            kind: what the reference is.
            reference: of a ``file`` its path, of an ``object`` its key, of a ``livekit-egress`` a
                JSON object with ``egress``, or with ``room``, ``after`` and ``until`` (when the
                call began and ended, in seconds since the epoch); of ``twilio`` and ``daily`` the
                recording's id.
            external_id: the call's id, which names the object.

        A file that was uploaded is deleted if it is in ``folder``; elsewhere it is its owner's. If
        this process dies before it is known that it was uploaded, it is found in the store again.
        """
        try:
            match kind:
                case "file":
                    return await self._upload(Path(reference), external_id)
                case "object":
                    return await self._store.find(reference)
                case "livekit-egress":
                    return await self._at(await self._egresses.location(reference))
                case "twilio":
                    return await self._from_twilio(reference, external_id)
                case "daily":
                    return await find_at_daily(
                        self._web, self._daily_url, self._environ, reference, self._place[2]
                    )
        except Unresolved as nothing:
            return nothing.answer
        except ImportError:
            return NotYet('an extra is missing: pip install "zelto-agents[recording]"')
        except Exception as fault:  # noqa: BLE001 - no recording takes down what looks for it
            return NotYet(f"the recording could not be looked for ({type(fault).__name__})")

    async def _upload(self, path: Path, external_id: str) -> Found:
        key = self._store.key_of(object_name(path, external_id))
        try:
            status = await anyio.to_thread.run_sync(path.stat)
        except FileNotFoundError:
            return await self._uploaded_before(path, key)
        except OSError as fault:
            raise Unresolved(NotYet(f"{path.name} cannot be read ({fault.strerror})")) from None
        if not S_ISREG(status.st_mode):
            raise Unresolved(Hopeless(f"{path.name} is not a file"))
        if not status.st_size:
            await self._delete(path)
            raise Unresolved(Hopeless(f"{path.name} is empty"))
        await self._store.put(path, key, media_type(path))
        found = await self._store.find(key)
        await self._delete(path)
        return found

    async def _uploaded_before(self, path: Path, key: str) -> Found:
        try:
            return await self._store.find(key)
        except Unresolved as nothing:
            if isinstance(nothing.answer, NotYet):
                raise
            raise Unresolved(Hopeless(f"{path.name} is gone, and was not uploaded")) from None

    async def _delete(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # the folder is tidied up later
            if path.parent == self._folder:
                await anyio.to_thread.run_sync(path.unlink)

    async def _from_twilio(self, sid: str, external_id: str) -> Found:
        _ = self._store  # nothing is fetched that could go nowhere
        # One name for each call: another call with this recording deletes its own file.
        path = self._folder / object_name(Path(f"{sid}.wav"), external_id)
        try:
            await download(self._web, self._twilio_url, self._environ, sid, path)
        except Elsewhere as elsewhere:
            return await self._at(elsewhere.location)
        return await self._upload(path, external_id)

    async def _at(self, location: str) -> Found:
        """The URL of what a service has put somewhere for its customer."""
        key = None
        with contextlib.suppress(Unresolved):  # a store may be missing, or not be needed
            key = self._store.key_at(location)
        if key is not None:
            return await self._store.find(key)
        scheme, _, rest = location.partition("://")
        if scheme in ("s3", "gs", "az"):
            why = f"the recording is in {scheme}://{rest.partition('/')[0]}"
            raise Unresolved(NotYet(f"{why}: set ZELTO_RECORDINGS to it, so that URLs are signed"))
        if scheme not in ("http", "https"):
            why = "the recording is on the disk of the server that recorded it"
            raise Unresolved(Hopeless(f"{why}: have it uploaded to a bucket"))
        if await self._web.is_private(location):
            why = "the recording is in a private bucket"
            raise Unresolved(NotYet(f"{why}: set ZELTO_RECORDINGS to it, so that URLs are signed"))
        return Found(location, None)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._web.aclose()
