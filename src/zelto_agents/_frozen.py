"""``frozen``: a frozen dataclass to the type checker, and one that is made in half the time.

An agent process imports some forty of them, once per call where nothing is loaded ahead of it;
what Python adds to freeze a class at run time costs half a millisecond each. And there is no
``repr``: it might hold what somebody said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

__all__ = ["frozen", "frozen_by_name"]

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """See the module."""
    return dataclass(slots=True, repr=False)(cls)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def frozen_by_name(cls: type[_T]) -> type[_T]:
    """The same, with fields that are given by name alone."""
    return dataclass(slots=True, repr=False, kw_only=True)(cls)
