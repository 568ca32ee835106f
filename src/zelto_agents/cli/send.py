"""``zelto-agents send``: one plain POST of a sample, a file or standard input."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zelto_agents.cli._start import failure
from zelto_agents.cli._words import plain

if TYPE_CHECKING:
    import httpx

    from zelto_agents.settings import Settings

__all__ = ["register"]

# Seconds to wait for a conversation, which the local receiver makes in less than one.
_PATIENCE = 2.0

_EPILOG = """
Samples: voice, text, tools, interrupted, enrichment (one call, twice), vapi and retell. Each run of
a sample is a new call, unless --id says which.

It is sent once, past the outbox: what is shown is what was answered. A body that breaks the
contract is not sent, and each violation is named with its path; --force sends it all the same.

Exit codes: 0 accepted, 1 not accepted or not sent, 2 wrong usage.

Examples:

  zelto-agents send voice --url http://127.0.0.1:8787

  zelto-agents send call.json --provider livekit --json
"""


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What is to be sent."""

    name: str
    provider: str
    bodies: list[bytes]


def register(app: typer.Typer) -> None:
    """Adds the verb to the command."""
    app.command("send", epilog=_EPILOG)(send)


def send(
    what: Annotated[
        str, typer.Argument(metavar="[SAMPLE|FILE|-]", help="What to send; - is standard input.")
    ] = "voice",
    *,
    provider: Annotated[
        str | None,
        typer.Option(help="X-Zelto-Provider. [default: the sample's own, else zelto]"),
    ] = None,
    url: Annotated[str | None, typer.Option(help="The base URL. [default: ZELTO_BASE_URL]")] = None,
    external_id: Annotated[
        str | None, typer.Option("--id", help="The call's id in a sample. [default: a new one]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Send what breaks the contract.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send a sample or a body of your own, and show what is answered."""
    from zelto_agents.settings import Settings

    parcel = _parcel(what, provider, external_id)
    settings = Settings.load(base_url=url)
    base_url, key = _place(settings)
    sent = _send(parcel, base_url, key, force=force)
    ok = all(one["status"] is not None and 200 <= one["status"] < 300 for one in sent)
    see = _see(base_url, key, sent) if ok else None
    if as_json:
        typer.echo(json.dumps({"ok": ok, "url": base_url, "sent": sent, "see": see}))
    else:
        _print(parcel, base_url, sent, see)
    if not ok:
        raise typer.Exit(1)


def _parcel(what: str, provider: str | None, external_id: str | None) -> _Parcel:
    from zelto_agents.samples import SAMPLES

    if what in SAMPLES:
        sample = SAMPLES[what]
        about = external_id or f"sample-{what}-{secrets.token_hex(4)}"
        bodies = [json.dumps(body, ensure_ascii=False).encode() for body in sample.bodies(about)]
        return _Parcel(what, provider or sample.provider, bodies)
    if external_id is not None:
        raise typer.BadParameter("a body of your own has its own id", param_hint="--id")
    try:
        body = sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
    except OSError as fault:
        samples = ", ".join(SAMPLES)
        why = f"{what} is no sample ({samples}), and no file: {fault.strerror}"
        raise failure("send", why) from None
    return _Parcel("standard input" if what == "-" else what, provider or "zelto", [body])


def _place(settings: Settings) -> tuple[str, str]:
    """Base URL and key, or the exit that says what is missing."""
    known = ("api_key", "base_url")
    for problem in settings.problems:
        if any(name in problem.lower() for name in known):
            raise failure("send", problem.partition("; calls are kept")[0])
    if settings.base_url is None:
        raise failure("send", "there is no usable base URL: set ZELTO_BASE_URL or --url")
    if settings.api_key is None:
        raise failure("send", "there is no key: set ZELTO_API_KEY (the receiver prints one)")
    return settings.base_url, settings.api_key.get_secret_value()


def _send(parcel: _Parcel, base_url: str, key: str, *, force: bool) -> list[dict[str, Any]]:
    """Each body with what the contract says to it, and what was answered if it was sent."""
    from zelto_agents.verify.http import open_client
    from zelto_agents.verify.violations import violations

    found = [violations(body, parcel.provider) for body in parcel.bodies]
    sent: list[dict[str, Any]] = [
        {
            "externalId": _external_id(body, parcel.provider),
            "provider": parcel.provider,
            "violations": faults,
            "status": None,
            "answer": None,
            "fault": None,
        }
        for body, faults in zip(parcel.bodies, found, strict=True)
    ]
    if any(found) and not force:
        return sent
    with open_client(base_url, key) as client:
        for one, body in zip(sent, parcel.bodies, strict=True):
            one.update(_answer(client, body, parcel.provider))
            if one["status"] != 200:
                break
    return sent


def _answer(client: httpx.Client, body: bytes, provider: str) -> dict[str, Any]:
    import httpx

    from zelto_agents.verify.http import answer_json, post

    try:
        answer = post(client, body, provider)
    except httpx.TransportError as fault:
        return {"fault": f"{type(fault).__name__}: {fault}"}
    return {"status": answer.status_code, "answer": answer_json(answer)}


def _external_id(body: bytes, provider: str) -> str | None:
    """The call that a body is about, as far as that can be read."""
    paths = {"vapi": ("message", "call", "id"), "retell": ("call", "call_id")}
    try:
        found = json.loads(body.decode("utf-8-sig"))
        for name in paths.get(provider, ("call", "externalId")):
            found = found[name]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _see(base_url: str, key: str, sent: list[dict[str, Any]]) -> str:
    """Where to look: on the receiver's page, at the conversation itself once it is there."""
    import httpx

    from zelto_agents.settings import is_loopback
    from zelto_agents.verify import Target
    from zelto_agents.verify.checks import Differs

    named = next((one["externalId"] for one in sent if one["externalId"]), None)
    if not is_loopback(base_url):
        return f"zelto-agents verify --call {named or 'ID'}"
    if named is not None:
        with (
            contextlib.suppress(Differs, httpx.TransportError, LookupError, TypeError),
            Target(base_url, key, patience=_PATIENCE) as target,
        ):
            return f"{base_url}/#/conversations/{target.landed(named)['id']}"
    return f"{base_url}/"


def _print(parcel: _Parcel, base_url: str, sent: list[dict[str, Any]], see: str | None) -> None:
    for one in sent:
        _print_one(parcel, base_url, one)
    if see is not None:
        typer.echo(f"see it: {see}")


def _print_one(parcel: _Parcel, base_url: str, one: dict[str, Any]) -> None:
    about = f" ({plain(one['externalId'], 200)})" if one["externalId"] else ""
    for fault in one["violations"]:
        where = fault["path"] or "the body"
        typer.echo(f"  {plain(where, 200)}: {plain(fault['message'], 500)}", err=True)
    if one["status"] is not None:
        good = 200 <= one["status"] < 300
        mark = typer.style("✓" if good else "✗", fg="green" if good else "red")
        answer = one["answer"]
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        typer.echo(f"{mark} {parcel.name}{about}: {one['status']} {plain(text)}")
    elif one["fault"] is not None:
        why = f"{base_url} gave no answer ({plain(one['fault'], 300)})"
        typer.echo(f"zelto-agents send: {why}", err=True)
    elif one["violations"]:
        why = "it breaks the contract, and was not sent; --force sends it"
        typer.echo(f"zelto-agents send: {parcel.name}{about}: {why}", err=True)
