#!/usr/bin/env python3
"""A client that reads api/openapi.yaml and asks a running server for whatever the document allows, and for what it does not:
each operation, as each role and as nobody, with parameters and bodies that are made from the schemas and then, often, broken.
Every answer must be documented and of its shape, and none may be a 5xx. What it makes it uses again, so that many requests
are about things that there are.

Usage: test_random.py LORRY [--seed N] [--seconds S]      a seed that failed comes again with --seed
"""
import argparse
import json
import random
import re
import sys
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests/integration'))

import lorry  # noqa: E402
import surface  # noqa: E402
from witness import Witness  # noqa: E402
from lorry import Server  # noqa: E402

ID = re.compile(r'\b([a-z]{3})_[0-7][0-9A-HJKMNP-TV-Z]{25}\b')
IDS_MAX = 40
LEFT_OUT = {'openSocket',    # is no request but a connection
            'fillWithDemo'}  # drives a whole city about, for hours
ODD = ['', ' ', '\x00', '\x1b[31m', '‮', 'å' * 300, '💧', '../../etc/passwd', '%00', "' OR 1=1 --", '{{7*7}}', 'null', '-1', '1e400', 'NaN',
       '9' * 40, '0x1', 'true', '[]', '{"a":', 'a' * 5000, '2026-02-30T25:61:61Z', '1969-01-01T00:00:00Z', '+46701234567']
WRONG = [None, True, False, 0, -1, 1.5, 2**31, -2**63, 2**64, 1e308, '', 'x', [], {}, [None], [[[[]]]], {'a': {'b': {}}}]


class Maker:
    """Values for schemas, by the random numbers of RNG. BREAK is how often a value is not what the schema says."""

    def __init__(self, doc, rng):
        self.doc, self.rng, self.ids, self.broken = doc, rng, {}, 0.0

    def learn(self, text):
        for found in ID.finditer(text):
            known = self.ids.setdefault(found[1], [])
            if found[0] not in known:
                known.append(found[0])
                del known[:-IDS_MAX]

    def id(self, prefix):
        known = self.ids.get(prefix, [])
        if known and self.rng.random() < 0.85:
            return self.rng.choice(known)
        return f'{prefix}_0' + ''.join(self.rng.choice('0123456789ABCDEFGHJKMNPQRSTVWXYZ') for _ in range(25))

    def value(self, schema, depth=0):
        schema = surface.follow(self.doc, schema)
        if self.rng.random() < self.broken:
            return self.rng.choice(WRONG + ODD)
        if 'enum' in schema:
            return self.rng.choice(schema['enum'])
        for many in ('oneOf', 'anyOf'):
            if many in schema:
                return self.value(self.rng.choice(schema[many]), depth)
        if 'allOf' in schema:
            whole = {}
            for part in schema['allOf']:
                made = self.value(part, depth)
                whole.update(made if isinstance(made, dict) else {})
            return whole
        kind = schema.get('type', 'object')
        if isinstance(kind, list):
            kind = self.rng.choice(kind)
        return getattr(self, f'a_{kind}')(schema, depth)

    def a_null(self, schema, depth):
        return None

    def a_boolean(self, schema, depth):
        return self.rng.random() < 0.5

    def a_integer(self, schema, depth):
        low, high = schema.get('minimum', 0), schema.get('maximum', 10_000)
        return self.rng.choice([low, high, self.rng.randint(int(low), int(high))])

    def a_number(self, schema, depth):
        low, high = schema.get('minimum', -1000), schema.get('maximum', 1000)
        return self.rng.choice([low, high, round(self.rng.uniform(low, high), 6)])

    def a_string(self, schema, depth):
        prefix = re.match(r'\^([a-z]{3})_', schema.get('pattern', ''))
        if prefix:
            return self.id(prefix[1])
        now = time.time() + self.rng.choice([0, -3600, 3600, 86400 * 40, -86400 * 400])
        made = {'date-time': lorry.rfc3339(now), 'date': time.strftime('%Y-%m-%d', time.gmtime(now)), 'uri': 'https://example.com/hook',
                'email': f'r{self.rng.randint(1, 9999)}@example.com'}.get(schema.get('format'))
        if made is not None:
            return made
        length = self.rng.randint(schema.get('minLength', 0), min(schema.get('maxLength', 30), 60))
        return ''.join(self.rng.choice('abcdefg hij-åß0123456789') for _ in range(max(length, schema.get('minLength', 0))))

    def a_array(self, schema, depth):
        low, high = schema.get('minItems', 0), schema.get('maxItems', 5)
        if self.broken and self.rng.random() < 0.05:
            low, high = high + 1, high + 1
        count = self.rng.randint(low, max(low, min(high, low + 3)))
        return [self.value(schema.get('items', {}), depth + 1) for _ in range(min(count, 1100))] if depth < 8 else []

    def a_object(self, schema, depth):
        made = {}
        for name, part in schema.get('properties', {}).items():
            required = name in schema.get('required', [])
            if self.rng.random() < (1 - self.broken / 2 if required else 0.5):
                made[name] = self.value(part, depth + 1)
        if self.broken and self.rng.random() < 0.1:
            made[self.rng.choice(ODD)] = self.rng.choice(WRONG)
        return made


class Client:
    def __init__(self, server, doc, seed):
        self.server, self.seed, self.rng = server, seed, random.Random(seed)
        self.witness = Witness(doc)
        self.maker = Maker(self.witness.doc, self.rng)
        self.operations = [(m, p, o) for (m, p), o in self.witness.operations.items() if o['operationId'] not in LEFT_OUT]
        self.people, self.counts = {}, {}

    def person(self, role):
        """Somebody of ROLE who can sign in: what is asked may have ended, disabled or erased the one before."""
        if role not in self.people:
            if role in ('admin', 'dispatcher'):
                self.people[role] = self.server.staff(role)
            elif role == 'driver':
                self.people[role] = self.server.driver()
            else:
                self.people[role] = self.server.register('customer')
        return self.people[role]

    def parameter(self, p):
        schema = surface.follow(self.witness.doc, p['schema'])
        if 'example' in p and self.rng.random() < 0.3 and not ID.search(str(p['example'])):
            return str(p['example'])
        value = self.maker.value(schema)
        return value if isinstance(value, str) else json.dumps(value)

    def request(self, method, pattern, op):
        self.maker.broken = self.rng.choice([0, 0, 0.05, 0.3])
        path = pattern
        for name, p in surface.parameters(self.witness.doc, op, 'path').items():
            path = path.replace('{' + name + '}', quote(self.parameter(p), safe='') or '-')
        query = [f'{n}={quote(self.parameter(p), safe="")}' for n, p in surface.parameters(self.witness.doc, op, 'query').items()
                 if p.get('required') or self.rng.random() < 0.4]
        body = None
        content = op.get('requestBody', {}).get('content', {})
        headers = []
        if 'application/json' in content:
            given = content['application/json']
            body = json.dumps(self.maker.value(given['schema']) if 'example' not in given or self.rng.random() < 0.8 else given['example']).encode()
            if self.maker.broken and self.rng.random() < 0.1:
                body = body[:self.rng.randint(0, len(body))] + self.rng.choice([b'', b'\xff', b'}', b'\x00', b'"'])
            headers.append(('Content-Type', 'application/json' if self.rng.random() < 0.97 else 'text/plain'))
        elif content:
            media = self.rng.choice(list(content))
            body = self.rng.choice([b'', b'\x89PNG\r\n\x1a\n', b'%PDF-1.4', b'\xff\xd8\xff', bytes(self.rng.randrange(256) for _ in range(300))])
            headers.append(('Content-Type', media))
        if self.rng.random() < 0.1:
            headers.append(('Idempotency-Key', self.rng.choice(['k1', 'k2', 'k3', 'å', 'x' * 300])))
        if self.rng.random() < 0.1:
            headers.append(('If-Match', self.rng.choice(['"1"', '"2"', '*', '1', '"x"', '"99999999999999999999"'])))
        return path + ('?' + '&'.join(query) if query else ''), body, headers

    def step(self):
        method, pattern, op = self.rng.choice(self.operations)
        roles = op.get('x-roles') or ['nobody']
        role = self.rng.choice(roles) if self.rng.random() < 0.85 else self.rng.choice(['customer', 'driver', 'dispatcher', 'admin', 'nobody'])
        path, body, headers = self.request(method, pattern, op)
        if role != 'nobody':
            headers.append(('Authorization', f'Bearer {self.person(role).token}'))
        try:
            with lorry.Connection(self.server) as connection:
                a = connection.request(method, path, body, headers)
        except OSError as e:
            raise AssertionError(f'{role}: {method} {path} {headers} {body!r}: the server hung up: {e}') from None
        self.counts[a.status // 100] = self.counts.get(a.status // 100, 0) + 1
        said = f'{role}: {method} {path} {headers} {body!r}'[:3000]
        # Of two administrators who are taken away at once one is told to wait: the only 5xx that a client can bring about.
        assert a.status < 500 or (a.status == 503 and b'another administrator is being changed' in a.body), f'{said}\n{a}'
        try:
            self.witness.look(method, path, a)
        except AssertionError as e:
            raise AssertionError(f'{said}\n{e}') from None
        if a.status == 401 and role != 'nobody':
            self.people.pop(role)
        self.maker.learn(a.body.decode('utf-8', 'replace')[:20_000])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('lorry')
    parser.add_argument('--seed', type=int, default=None)
    parser.add_argument('--seconds', type=float, default=30)
    o = parser.parse_args()
    lorry.BINARY = str(Path(o.lorry).resolve())
    doc = surface.load(ROOT / 'api/openapi.yaml')
    seed = o.seed if o.seed is not None else random.SystemRandom().randrange(10**9)
    print(f'seed {seed}', flush=True)
    with Server('--driver-approval', 'auto', '--writes-per-minute-max', 0, '--registers-per-hour-max', 0, '--address-failures-max', 0, '--public-url', 'https://lorry.example.com') as server:
        client = Client(server, doc, seed)
        end, count = time.monotonic() + o.seconds, 0
        try:
            while time.monotonic() < end:
                client.step()
                count += 1
        except AssertionError as e:
            print(f'FAILED with seed {seed} after {count} requests:\n{e}')
            return 1
        assert server.stop() == 0, server.log()[-2000:]
    well = sorted({name for name, status in client.witness.seen if status < 400})
    print(f'{count} requests, by status: {dict(sorted(client.counts.items()))}; {len(well)} of {len(client.operations)} operations answered well')
    return 0


if __name__ == '__main__':
    sys.exit(main())
