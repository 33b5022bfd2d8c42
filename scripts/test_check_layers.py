#!/usr/bin/env python3
"""Holds scripts/check-layers.py against a small tree with one violation of each rule: each must be named by
file and line, and nothing else may be. The violations are written out by hand, from the architecture and not
from the script's own table, so that a rule that is loosened by mistake is noticed here."""

import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent / "check-layers.py"

# What each folder may include: none of it is to be reported.
ALLOWED = {
    "src/base/str.c": ['"base/str.h"', "<string.h>", "<sys/uio.h>"],
    "src/json/reader.cc": ['"json/reader.h"', "<simdjson.h>", "<memory>"],
    "src/base/test.h": ["<cmocka.h>"],
    "src/json/schema.c": ['"base/arena.h"', "<jansson.h>"],
    "src/geo/cells.c": ['"base/units.h"', "<math.h>"],
    "src/ports/store.h": ['"base/arena.h"', '"json/schema.h"'],
    "src/events/events.h": ['"json/schema.h"', '"base/str.h"'],
    "src/runtime/token.c": ['"ports/cache.h"', '"events/events.h"', "<sodium.h>"],
    "src/dispatch/rank.c": ['"geo/geo.h"', '"base/check.h"'],
    "src/services/auth/auth.c": ['"runtime/call.h"', '"services/auth/auth.h"', "<sodium.h>"],
    "src/services/driver/offer.c": ['"dispatch/rank.h"', '"ports/fleet.h"', '"geo/geo.h"'],
    "src/services/booking/test_quote.c": ['"adapters/memory/store.h"', "<cmocka.h>"],
    "src/adapters/http/server.c": ['"runtime/call.h"', "<uv.h>", "<llhttp/llhttp.h>", "<wslay/wslay.h>"],
    "src/adapters/sqlite/store.c": ['"ports/store.h"', "<sqlite3.h>"],
    "src/adapters/streets/streets.c": ['"ports/router.h"', '"geo/geo.h"'],
    "src/adapters/curl/smtp.c": ['"adapters/mail/mail.h"', "<curl/curl.h>"],
    "src/client/client.c": ['"events/events.h"', "<uv.h>"],
    "src/runtime/test_token.c": ['"testing/house.h"', "<cmocka.h>", "<rhonabwy.h>"],
    "src/testing/house.c": ['"adapters/memory/store.h"', '"runtime/service.h"'],
    "src/sim/world.c": ['"services/booking/booking.h"', '"adapters/memory/store.h"', '"client/client.h"'],
    "src/apps/main.c": ['"sim/sim.h"', '"adapters/http/server.h"', '"services/auth/auth.h"'],
}

# (file, include, a part of what must be said)
REFUSED = [
    ("src/base/str.c", '"json/writer.h"', "base may not include json"),
    ("src/base/rng.c", "<sodium.h>", "base may not use sodium"),
    ("src/base/testing.c", "<cmocka.h>", "base may not use cmocka"),
    ("src/base/log.c", "<string>", "base may not use c++"),
    ("src/json/writer.c", '"geo/geo.h"', "json may not include geo"),
    ("src/json/writer.c", "<uv.h>", "json may not use uv"),
    ("src/geo/index.c", '"json/reader.h"', "geo may not include json"),
    ("src/ports/router.h", '"geo/geo.h"', "ports may not include geo"),
    ("src/ports/store.h", '"runtime/call.h"', "ports may not include runtime"),
    ("src/ports/clock.h", "<uv.h>", "ports may not use uv"),
    ("src/events/events.c", '"ports/bus.h"', "events may not include ports"),
    ("src/runtime/executor.c", '"services/booking/booking.h"', "runtime may not include services/booking"),
    ("src/runtime/outbox.c", '"adapters/sqlite/store.h"', "runtime may not include adapters/sqlite"),
    ("src/runtime/outbox.c", "<sqlite3.h>", "runtime may not use sqlite"),
    ("src/runtime/token.c", "<rhonabwy.h>", "runtime may not use rhonabwy"),
    ("src/dispatch/rank.c", '"ports/router.h"', "dispatch may not include ports"),
    ("src/services/auth/login.c", '"adapters/memory/cache.h"', "services/auth may not include adapters/memory"),
    ("src/services/booking/book.c", '"services/driver/driver.h"', "services/booking may not include services/driver"),
    ("src/services/booking/book.c", '"dispatch/rank.h"', "services/booking may not include dispatch"),
    ("src/services/booking/book.c", "<jansson.h>", "services/booking may not use jansson"),
    ("src/services/driver/offer.c", '"services/booking/booking.h"', "services/driver may not include services/booking"),
    ("src/services/notification/ws.c", "<wslay/wslay.h>", "services/notification may not use wslay"),
    ("src/services/notification/test_ws.c", '"adapters/http/server.h"', "may not include adapters/http"),
    ("src/adapters/memory/store.c", '"services/auth/auth.h"', "adapters/memory may not include services/auth"),
    ("src/adapters/inproc/bus.c", '"adapters/memory/store.h"', "adapters/inproc may not include adapters/memory"),
    ("src/adapters/sqlite/store.c", "<uv.h>", "adapters/sqlite may not use uv"),
    ("src/adapters/crow/crow.c", '"runtime/call.h"', "adapters/crow may not include runtime"),
    ("src/adapters/streets/streets.c", '"events/events.h"', "adapters/streets may not include events"),
    ("src/adapters/http/server.c", "<sqlite3.h>", "adapters/http may not use sqlite"),
    ("src/client/client.c", '"services/booking/booking.h"', "client may not include services/booking"),
    ("src/client/client.c", '"runtime/call.h"', "client may not include runtime"),
    ("src/sim/world.c", '"apps/config.h"', "sim may not include apps"),
    ("src/sim/world.c", '"testing/house.h"', "sim may not include testing"),
    ("src/runtime/token.c", '"testing/house.h"', "runtime may not include testing"),
    ("src/testing/house.c", '"adapters/sqlite/store.h"', "testing may not include adapters/sqlite"),
    ("src/sim/world.c", "<uv.h>", "sim may not use uv"),
    ("src/apps/main.c", "<simdjson.h>", "apps may not use simdjson"),
    ("src/apps/main.c", '"config.h"', "(write it relative to src/)"),
    ("src/geo/cells.c", "<curl/curl.h>", "geo may not use curl"),
    ("src/services/notification/ws.c", "<curl/curl.h>", "services/notification may not use curl"),
    ("src/adapters/mail/mail.c", "<curl/curl.h>", "adapters/mail may not use curl"),
    ("src/adapters/curl/hook.c", "<uv.h>", "adapters/curl may not use uv"),
    ("src/geo/cells.c", "<gdal/gdal.h>", "belongs to no library"),
    ("src/attic/old.c", None, "has no rule"),
]


def build(root, with_violations):
    """Writes the tree; returns {"file:line": phrase} of what must be reported."""
    lines = {file: [f"#include {what}" for what in includes] for file, includes in ALLOWED.items()}
    lines["src/apps/config.h"] = []
    expected = {}
    for file, include, phrase in REFUSED if with_violations else []:
        of_file = lines.setdefault(file, [])
        of_file.append(f"  #  include {include} // indented" if include else "int x;")
        expected[f"{file}:{len(of_file)}"] = phrase
    for file, text in lines.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return expected


def run(root):
    result = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, check=False)
    return result.returncode, result.stderr.splitlines()


def main():
    with tempfile.TemporaryDirectory() as clean, tempfile.TemporaryDirectory() as dirty:
        build(Path(clean), False)
        status, said = run(clean)
        assert (status, said) == (0, []), f"a clean tree was refused: {said}"

        expected = build(Path(dirty), True)
        status, said = run(dirty)
        assert status == 1, "violations left the exit status 0"
        reported = {":".join(line.split(":")[:2]): line for line in said}
        for place, phrase in expected.items():
            assert phrase in reported.get(place, ""), f"{place}: wanted {phrase!r}, got {reported.get(place)!r}"
        extra = set(reported) - set(expected)
        assert not extra, f"reported without cause: {sorted(extra)}"
    folders = {file.rsplit("/", 1)[0] for file, _, _ in REFUSED}
    print(f"{len(REFUSED)} violations in {len(folders)} folders, each found at its line")


if __name__ == "__main__":
    main()
