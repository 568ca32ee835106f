"""How a Postgres server is reached: its URL, TLS, roles, a schema of its own, and no password told."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import trustme

from outboxes import OpenOutbox, open_store, put, send
from postgres_server import PASSWORD, PostgresServer
from zelto_agents.outbox import Outbox, OutboxError

pytestmark = pytest.mark.parametrize("store", ["postgres"], indirect=True)

QUOTED = quote(PASSWORD, safe="")
WRONG: dict[str, Callable[[str], str]] = {
    "password": lambda url: url.replace(QUOTED, f"{QUOTED}x"),
    "database": lambda url: url.rpartition("/")[0] + "/no_such_database",
    "port": lambda url: url.replace("127.0.0.1:", "127.0.0.1:9"),
    "port that is none": lambda url: url.replace("127.0.0.1:", "127.0.0.1:port"),
    "host": lambda url: url.replace("127.0.0.1", "nowhere.invalid"),
    "host that is none": lambda url: url.replace("127.0.0.1", "[::1"),
    "option": lambda url: f"{url}?no_such_option=1",
    "certificate": lambda url: f"{url}?sslmode=verify-full&sslrootcert=/no/such/file",
    "quoting": lambda url: f"{url}?application_name=%zz",
    "password among the options": lambda url: (
        url.replace(f"zelto:{QUOTED}@", "") + f"?user=x&password={QUOTED}"
    ),
    "password that is not quoted": lambda url: url.replace(QUOTED, PASSWORD),
}


def tables(store: str, schema: str) -> set[str]:
    with psycopg.connect(store) as raw:
        found = raw.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,))
        return {name for (name,) in found}


def test_it_has_a_schema_of_its_own(outbox: Outbox, store: str):
    put(outbox)
    assert tables(store, "public") == set()
    assert "delivery" in tables(store, "zelto_agents")


def test_a_role_may_use_what_another_one_made(outbox: Outbox, open_outbox: OpenOutbox, store: str):
    put(outbox)
    with psycopg.connect(store, autocommit=True) as owner:
        owner.execute(
            "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN PASSWORD 'modest';"
            "REVOKE CREATE ON SCHEMA public FROM public;"
            "GRANT USAGE ON SCHEMA zelto_agents TO modest;"
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA zelto_agents TO modest"
        )
    modest = open_outbox(store.replace(f"zelto:{QUOTED}", "modest:modest"))
    assert send(modest) == ["1"]
    with psycopg.connect(store, autocommit=True) as owner:
        owner.execute("DROP OWNED BY modest; DROP ROLE modest")


def test_an_outbox_of_a_newer_version_is_left_alone(
    outbox: Outbox, open_outbox: OpenOutbox, store: str
):
    with psycopg.connect(store) as raw:
        raw.execute("UPDATE zelto_agents.version SET number = 99")
    with pytest.raises(OutboxError, match="written by a newer zelto-agents"):
        open_outbox()


def test_a_search_path_and_a_time_zone_of_the_users_own_change_nothing(
    open_outbox: OpenOutbox, store: str
):
    strange = (
        "?options=-csearch_path%3Dnowhere%20-cTimeZone%3DAsia/Kathmandu%20-cbytea_output%3Descape"
    )
    outbox = open_outbox(store + strange)
    put(outbox)
    assert send(outbox) == ["1"]
    assert tables(store, "public") == set()


def test_a_verified_connection_is_made_with_the_right_authority_only(
    postgres: PostgresServer, open_outbox: OpenOutbox, store: str, tmp_path: Path
):
    verified = f"{store}?sslmode=verify-full&sslrootcert="
    outbox = open_outbox(f"{verified}{postgres.ca_file}")
    assert put(outbox) == 1
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    with pytest.raises(OutboxError, match="certificate verify failed"):
        open_outbox(f"{verified}{tmp_path / 'other.pem'}")


def test_several_hosts_may_be_named(postgres: PostgresServer, open_outbox: OpenOutbox, store: str):
    here = f"127.0.0.1:{postgres.port}"
    outbox = open_outbox(store.replace(here, f"127.0.0.1:1,{here}"))
    assert put(outbox) == 1


@pytest.mark.parametrize("what", WRONG)
def test_the_password_is_in_no_text_of_an_error(store: str, what: str):
    with pytest.raises(OutboxError, match="ZELTO_OUTBOX") as raised:
        open_store(WRONG[what](store))
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert not [part for part in (PASSWORD, QUOTED, *PASSWORD.split("/")) if part in told]


def test_the_password_is_in_no_text_of_an_outbox(outbox: Outbox):
    assert not [part for part in (PASSWORD, QUOTED) if part in f"{outbox!r} {outbox}"]


def test_connections_are_closed_with_it(postgres: PostgresServer, store: str):
    outboxes = [open_store(store) for _ in range(3)]
    for one in outboxes:
        one.close()
    assert postgres.cut() == 0
