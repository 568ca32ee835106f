"""``record``: a frozen dataclass to the type checker, and one that is made in half the time.

An agent process imports some forty of them, once per call where nothing is loaded ahead of it;
what Python adds to freeze a class at run time costs half a millisecond each. And a record has no
``repr``: it may hold what somebody said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["keyword_record", "record"]

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """See the module."""
    return dataclass(slots=True, repr=False)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def keyword_record(cls: type[_T]) -> type[_T]:
    """A record whose fields are given by name alone."""
    return dataclass(slots=True, repr=False, kw_only=True)(cls)
