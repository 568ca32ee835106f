"""Whether an ingest API keeps the contract, seen from outside: numbered checks over plain HTTP."""

from zelto_agents.verify.checks import Check, Outcome, all_checks, run
from zelto_agents.verify.landing import landing
from zelto_agents.verify.target import Target

__all__ = ["Check", "Outcome", "Target", "all_checks", "landing", "run"]
