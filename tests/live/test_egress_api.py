"""The real server's egress API takes our token, and its answer is understood."""

from __future__ import annotations

import asyncio
from pathlib import Path

from live.server import LiveServer
from zelto_agents.recording import Found, Hopeless, NotYet, Resolver


def ask(environ: dict[str, str], tmp_path: Path) -> Found | NotYet | Hopeless:
    async def look() -> Found | NotYet | Hopeless:
        resolver = Resolver(
            store=None, public_url=None, folder=tmp_path, url_life=60.0, environ=environ
        )
        try:
            return await resolver.resolve("livekit-egress", '{"room": "nobody"}', "conv-42")
        finally:
            await resolver.aclose()

    return asyncio.run(look())


def test_our_token_is_taken(live_server: LiveServer, tmp_path: Path):
    answer = ask(live_server.environment(), tmp_path)
    # Without Redis, there is no egress; the one with the wrong secret does not hear of that.
    assert isinstance(answer, NotYet)
    assert answer.why.startswith("LiveKit answers 500: ")
    assert "egress not connected (redis required)" in answer.why


def test_another_secret_is_refused(live_server: LiveServer, tmp_path: Path):
    answer = ask({**live_server.environment(), "LIVEKIT_API_SECRET": "x" * 32}, tmp_path)
    assert isinstance(answer, NotYet)
    assert answer.why.startswith("LiveKit refuses the credential (401): check LIVEKIT_URL")
