"""The API that is checked: uploading to it, waiting for it, reading back from it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from zelto_agents.verify.checks import Differs, expect
from zelto_agents.verify.http import answer_json, open_client, post

if TYPE_CHECKING:
    import httpx

__all__ = ["Target"]

Body = dict[str, Any]

_PAGE = 150
# More pages than this are not looked through for one conversation.
_PAGES = 100
_PAUSE = 0.05


class Target:
    """One ingest API, as a client of it sees it.

    Args:
        base_url: without a trailing slash.
        key: the organisation's key.
        real: whether it is more than a stand-in: what is only assumed then differs, and need not
            be wrong.
        settled: returns when all that was uploaded is worked in; without it, the API is asked
            again and again.
        patience: seconds to wait for what should appear.
        fetches_private: whether it is known to fetch recordings from this machine.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        real: bool = False,
        settled: Callable[[], None] | None = None,
        patience: float = 10.0,
        fetches_private: bool = False,
    ) -> None:
        self.base_url = base_url
        self.real = real
        self.patience = patience
        self.fetches_private = fetches_private
        self.client = open_client(base_url, key)
        self.stranger = open_client(base_url, None)
        self.run_id = secrets.token_hex(4)
        self._settled = settled
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.stranger.close()

    def new_id(self, name: str) -> str:
        """An id that no other call and no other agent has."""
        self._count += 1
        return f"zelto-verify-{self.run_id}-{self._count}-{name}"

    def body(self, name: str, *, call: Body | None = None, **fields: Any) -> Body:
        """A small valid body with an id of its own; fields that are None are left out."""
        whole: Body = {
            "call": {"externalId": self.new_id(name), **(call or {})},
            "agent": {"externalId": f"zelto-verify-{self.run_id}", "name": "zelto-agents verify"},
            "transcript": {"turns": [{"role": "user", "content": "Hello."}]},
            "metadata": {"zelto": {"verify": self.run_id}},
            **fields,
        }
        return {name: value for name, value in whole.items() if value is not None}

    def upload(self, body: Body | bytes, provider: str | None = None) -> tuple[int, Any]:
        """Status and JSON of the answer to one upload."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = post(self.client, content, provider)
        return answer.status_code, answer_json(answer)

    def accept(self, body: Body, provider: str | None = None) -> str:
        """Uploads what has to be accepted; its ``call.externalId``, if it has one."""
        status, answer = self.upload(body, provider)
        expect(status, 200, f"status of the answer {answer!r}")
        call = body.get("call", {})
        return str(call.get("externalId", ""))

    def refuse(self, body: Body, field: str) -> None:
        """Uploads what has to be refused because of this field."""
        status, answer = self.upload(body)
        expect(status, 400, f"status when {field} is wrong")
        expect(answer.get("error"), "Validation failed", f"error when {field} is wrong")

    def landed(self, external_id: str) -> Body:
        """The conversation of an accepted upload, once it is there."""
        if self._settled is not None:
            self._settled()
        deadline = time.monotonic() + (0 if self._settled is not None else self.patience)
        while True:
            found = self.find(external_id)
            if found is not None:
                return found
            if time.monotonic() >= deadline:
                raise Differs(f"the conversation of {external_id} did not appear")
            self.pause()

    def changed(self, external_id: str, looks: Callable[[Body, Body], bool]) -> tuple[Body, Body]:
        """Conversation and transcript, once they look so; as they are after some patience."""
        conversation = self.landed(external_id)
        deadline = time.monotonic() + (0 if self._settled is not None else self.patience)
        while True:
            conversation = self.read(f"/v1/conversations/{conversation['id']}")
            transcript = self.read(f"/v1/conversations/{conversation['id']}/transcript")
            if looks(conversation, transcript) or time.monotonic() >= deadline:
                return conversation, transcript
            self.pause()

    def absent(self, external_id: str) -> None:
        """Raises ``Differs`` if a conversation comes of this id, though later ones have come."""
        if self._settled is not None:
            self._settled()
        else:
            self.landed(self.accept(self.body("later")))
            time.sleep(min(5.0, self.patience) if self.real else 0.0)
        if self.find(external_id) is not None:
            raise Differs(f"a conversation of {external_id} appeared")

    def find(self, external_id: str) -> Body | None:
        """The conversation of a ``call.externalId``; None if there is none."""
        return next((each for each in self.conversations(external_id)), None)

    def conversations(self, external_id: str) -> Iterator[Body]:
        """All conversations of a ``call.externalId``."""
        listed = self.pages("/v1/conversations", limit=_PAGE, most=_PAGES)
        return (each for page in listed for each in page if each["referenceId"] == external_id)

    def pages(self, path: str, *, limit: int, most: int) -> Iterator[list[Body]]:
        """The pages of a list, one after the other, at most so many."""
        cursor = None
        for _ in range(most):
            page = self.read(path, limit=limit, **({} if cursor is None else {"cursor": cursor}))
            yield page["data"]
            cursor = page["nextCursor"]
            if cursor is None:
                return

    def transcript(self, external_id: str) -> Body:
        """The transcript of an accepted upload, once it is there."""
        found = self.landed(external_id)
        transcript: Body = self.read(f"/v1/conversations/{found['id']}/transcript")
        return transcript

    def read(self, path: str, **parameters: object) -> Any:
        """The JSON of a read that has to work."""
        answer = self.get(path, **parameters)
        expect(answer.status_code, 200, f"status of GET {path}")
        return answer_json(answer)

    def get(self, path: str, **parameters: object) -> httpx.Response:
        """The answer to a read, whatever it is."""
        texts = {name: str(value) for name, value in parameters.items()}
        return self.client.get(path, params=texts)

    def pause(self) -> None:
        """Between two looks at what takes its time."""
        time.sleep(1.0 if self.real else _PAUSE)
