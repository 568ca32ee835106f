"""Recordings at Daily, which makes links to them that expire."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from zelto_agents.recording._answers import Found, Hopeless, NotYet, Unresolved
from zelto_agents.recording._web import Service, Web, needed

__all__ = ["find_at_daily"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LONGEST = 12 * 3600  # Daily's own limit
_SHORTEST = 15 * 60


async def find_at_daily(
    web: Web, base_url: str, environ: Mapping[str, str], recording_id: str, url_life: float
) -> Found:
    """A link to a recording that is finished.

    Raises:
        Unresolved: it is not finished, or never will be.
    """
    if not _ID.fullmatch(recording_id):
        raise Unresolved(Hopeless("a recording's id at Daily has letters, digits and hyphens"))
    (key,) = needed(environ, "Daily", "DAILY_API_KEY")
    service = Service("Daily", base_url, "DAILY_API_KEY", {"Authorization": f"Bearer {key}"})
    recording = await web.ask(service, f"/recordings/{recording_id}")
    if recording is None:
        why = "Daily has no such recording in this domain: it was deleted, or is another domain's"
        raise Unresolved(NotYet(why))
    status = recording.get("status")
    if status == "canceled":
        raise Unresolved(Hopeless("the recording at Daily was canceled"))
    if status != "finished":
        raise Unresolved(NotYet(f"the recording at Daily is {status}"))
    life = int(min(max(url_life, _SHORTEST), _LONGEST))
    path = f"/recordings/{recording_id}/access-link"
    link = await web.ask(service, path, None, valid_for_secs=life) or {}
    url = link.get("download_link")
    # Where the domain forbids access, there is a sentence in place of the URL.
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise Unresolved(NotYet("Daily gives no link: check that the domain allows downloads"))
    expires = link.get("expires")
    if not isinstance(expires, int | float):
        expires = time.time() + life
    return Found(url, float(expires), ("daily", recording_id))
