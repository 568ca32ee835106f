"""``zelto-agents outbox show``: everything that is known of one delivery."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zelto_agents.cli._start import failure, load_settings, opened
from zelto_agents.cli._words import Words, plain, size, span

if TYPE_CHECKING:
    from zelto_agents.outbox import Delivery
    from zelto_agents.outbox._engine import Engine
    from zelto_agents.settings import Settings

__all__ = ["register"]

_EPILOG = """
--document prints what was said in the call, in clear text.

Exit codes: 0 shown, 1 no such delivery (or it did not work), 2 wrong usage.

Examples:

  zelto-agents outbox show conv-42

  zelto-agents outbox show conv-42 --document | jq .transcript
"""


def register(app: typer.Typer) -> None:
    """Adds the verb to ``outbox``."""
    app.command("show", epilog=_EPILOG)(show)


def show(
    external_id: Annotated[str, typer.Argument(metavar="ID", help="The call's external id.")],
    *,
    document: Annotated[
        bool,
        typer.Option("--document", help="Print the document as it would be sent, and only that."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a delivery: its state and why, its attempts, and what a refusal said."""
    settings = load_settings()
    with opened(settings, "outbox show") as engine:
        found = [d for d in engine.deliveries() if d.external_id == external_id]
        if not found:
            raise failure("outbox show", f"no delivery {plain(external_id)} is kept here")
        words = Words(engine, settings, time.time())
        documents = _documents(engine, external_id, found, settings) if document else {}
        if document and not documents:
            raise failure("outbox show", _no_document(found))
        if as_json:
            rows = [asdict(d) | {"why": words.why(d)} | _part(d, documents) for d in found]
            typer.echo(json.dumps({"deliveries": rows}))
        elif document:
            for one in documents.values():
                typer.echo(json.dumps(one, indent=2, ensure_ascii=False))
        else:
            typer.echo("\n\n".join(_described(one, words) for one in found))


def _documents(
    engine: Engine, external_id: str, found: list[Delivery], settings: Settings
) -> dict[str, Any]:
    """By base URL, what would be sent."""
    from zelto_agents.outbox import Claim

    known = {d.base_url: d for d in found if d.state != "live"}
    documents = {}
    for base_url, body, changes in engine.content(external_id):
        one = known.get(base_url)
        if body is not None and one is not None:
            claim = Claim(
                base_url, external_id, one.provider, one.revision, 0, 0, 0, 0.0, body, changes
            )
            documents[base_url] = json.loads(claim.body(settings.agent_id))
    return documents


def _part(one: Delivery, documents: dict[str, Any]) -> dict[str, Any]:
    is_here = one.state != "live" and one.base_url in documents
    return {"document": documents[one.base_url]} if is_here else {}


def _no_document(found: list[Delivery]) -> str:
    if found[0].state == "live":
        return "the call is going on: its document is made when it ends"
    if found[0].state == "skipped":
        return "there is no document: the agent's own filter does not want the call"
    return "there is no document, only an enrichment that waits for it"


def _described(one: Delivery, words: Words) -> str:
    lines = {
        "external id": plain(one.external_id),
        "state": one.state,
        "why": words.why(one),
        "base URL": plain(one.base_url) or "none yet",
        "provider": plain(one.provider),
        "revision": str(one.revision),
        "attempts": str(one.attempts),
        "next try": _moment(one.due_at, words.now) if one.state == "due" else "",
        "first kept": _moment(one.created_at, words.now),
        "last changed": _moment(one.updated_at, words.now),
        "size": size(one.size),
        "status": "" if one.status is None else str(one.status),
        "details": plain(one.details),
    }
    return "\n".join(f"{name + ':':<14}{text}" for name, text in lines.items() if text)


def _moment(at: float, now: float) -> str:
    clock = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{clock} ({f'in {span(at - now)}' if at > now else f'{span(now - at)} ago'})"
