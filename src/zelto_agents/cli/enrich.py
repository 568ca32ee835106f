"""``zelto-agents enrich``: what became known of a call after its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zelto_agents.cli._start import all_pending, load_settings, opened

if TYPE_CHECKING:
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
The changes are merged into the call's document, which is sent again whole. Without the document
(it is kept for ZELTO_RETAIN after it was sent) they wait for it. A file is uploaded to
ZELTO_RECORDINGS, and its URL sent.

Exit codes: 0 sent, 1 kept and not sent (yet), 2 wrong usage.

Examples:

  zelto-agents enrich conv-42 --recording-url https://example.com/conv-42.ogg --cost 0.12

  zelto-agents enrich conv-42 --recording-file conv-42.wav --metadata crm.ticket=4711
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("enrich", epilog=_EPILOG)(enrich)


def enrich(
    external_id: Annotated[str, typer.Argument(metavar="ID", help="The call's externalId.")],
    *,
    recording_url: Annotated[str | None, typer.Option(help="Where its audio is.")] = None,
    recording_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="A file to upload."),
    ] = None,
    egress: Annotated[str | None, typer.Option(help="The id of a LiveKit egress.")] = None,
    twilio: Annotated[str | None, typer.Option(help="The SID of a Twilio recording.")] = None,
    daily: Annotated[str | None, typer.Option(help="The id of a Daily recording.")] = None,
    cost: Annotated[float | None, typer.Option(help="What it cost in all, in US dollars.")] = None,
    ended_reason: Annotated[str | None, typer.Option(help="How it ended.")] = None,
    customer_name: Annotated[str | None, typer.Option(help="Who called.")] = None,
    customer_number: Annotated[str | None, typer.Option(help="The caller's number.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE, KEY with dots for objects; several times. JSON, or text."),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add to a call what became known after its end, and send it again."""
    sources = {"egress": egress, "twilio": twilio, "daily": daily}
    recording = {name: value for name, value in sources.items() if value}
    if recording_file:
        recording["file"] = str(recording_file.absolute())
    customer = {"number": customer_number, "name": customer_name}
    changes: dict[str, Any] = {
        "recording_url": recording_url,
        "recording": recording,
        "cost": cost,
        "ended_reason": ended_reason,
        "customer": {name: value for name, value in customer.items() if value},
        "metadata": _metadata(metadata or []),
    }
    changes = {name: value for name, value in changes.items() if value not in (None, {})}
    if not changes:
        raise typer.BadParameter("nothing to add: give for example --recording-url or --cost")
    _refuse("recordingUrl", recording_url, "--recording-url: expected a URL with http(s)://")
    _refuse("cost", cost, "--cost is an amount of US dollars, 0 or more")
    _send(external_id, changes, timeout, as_json=as_json)


def _refuse(field: str, value: object, why: str) -> None:
    from zelto_agents.fold import refusal

    if value is not None and refusal(field, value) is not None:
        raise typer.BadParameter(why)


def _send(external_id: str, changes: dict[str, Any], timeout: float, *, as_json: bool) -> None:
    from zelto_agents import Zelto

    settings = load_settings()
    with Zelto(settings=settings) as zelto:
        zelto.enrich(external_id, **changes)
        sent = zelto.flush(timeout)
    if changes.get("recording"):
        import anyio

        anyio.run(_find, settings, external_id, timeout)
    with opened(settings, "enrich") as engine:
        found = [d for d in engine.deliveries(settings.base_url) if d.external_id == external_id]
        waits = [
            p.details or "not found yet"
            for p in all_pending(engine, settings)
            if p.external_id == external_id and p.state != "found"
        ]
    state = found[0].state if found else "sent" if sent else "due"
    told = {"external_id": external_id, "state": state, "recording": waits}
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{external_id}: {state}")
        for why in waits:
            typer.echo(f"its recording is not there: {why}", err=True)
    if state != "sent" or waits:
        raise typer.Exit(1)


async def _find(settings: Settings, external_id: str, within: float) -> None:
    """Look for its recording now, and send it."""
    import anyio

    from zelto_agents._drain import Drainer
    from zelto_agents._enrich import Enricher
    from zelto_agents._open import open_outbox
    from zelto_agents._trouble import Trouble

    trouble = Trouble()
    outbox = open_outbox(settings, trouble)
    drainer = Drainer(outbox, settings, trouble=trouble)
    enricher = Enricher(outbox, settings, trouble)
    try:
        with anyio.move_on_after(within):
            await enricher.look()
            await drainer.deliver(external_id)
    finally:
        with anyio.CancelScope(shield=True):
            await drainer.aclose()
            await enricher.aclose()
        outbox.close()


def _metadata(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not all(key.split(".")):
            raise typer.BadParameter(f"--metadata {pair!r}: expected KEY=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        *path, last = key.split(".")
        inner = found
        for name in path:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"--metadata {pair!r}: {name} has a value already")
        inner[last] = value
    return found
