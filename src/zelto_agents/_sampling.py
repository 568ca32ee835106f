"""Which calls are collected, when only a share of them is to be."""

from __future__ import annotations

import hashlib

__all__ = ["sampled"]

_ALL = 2**64


def sampled(external_id: str, share: float) -> bool:
    """Whether the call of this id is within the share.

    A matter of the id alone, so that every process, today and later, decides the same; a call that
    is within some share is within every larger one.

    Args:
        external_id: ``call.externalId``.
        share: from 0, none, to 1, all.
    """
    if share >= 1:
        return True
    # An id may hold what is no text, such as half of a surrogate pair.
    digest = hashlib.sha256(external_id.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * _ALL
