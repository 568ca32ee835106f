"""Whether an ingest API keeps the contract, seen from outside: numbered checks over plain HTTP."""
