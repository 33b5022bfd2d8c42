"""`lorry export` and `lorry import`: SQLite, PostgreSQL and MongoDB into each other, and everything that can be wrong.

PostgreSQL is Debian's, started here; MongoDB as tests/integration/mongo.py finds it. What is moved comes from a simulated
city whose server was killed at work: open offers, unpublished events and all.
"""
import collections
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
import cluster  # noqa: E402

import lorry  # noqa: E402
import mongo  # noqa: E402
from lorry import run  # noqa: E402

APPROVE = ('--driver-approval', 'auto', '--offer-timeout-s', 5, *lorry.UNLIMITED)
OWN_TABLES = {'counters', 'outbox', 'seen', 'answers', 'schema_version'}
KINDS = ('sqlite', 'postgres', 'mongodb')

TOP = postgres = mongodb = missing_mongo = None
_numbers = iter(range(1, 10000))


def setUpModule():
    global TOP, postgres, mongodb, missing_mongo
    TOP = tempfile.mkdtemp(prefix='lorry-transfer-')
    os.chmod(TOP, 0o755)  # PostgreSQL's user goes through it
    postgres = cluster.Cluster(Path(TOP) / 'servers', standby=False, rabbits=1, sentinels=0, say=lambda text: None, with_us=True)
    postgres.make_folders()
    postgres.start_databases()
    try:
        mongodb = mongo.Server()
    except mongo.Missing as e:
        missing_mongo = str(e)
    fill(os.path.join(TOP, 'city'))


def tearDownModule():
    postgres.end('postgres', signal.SIGKILL)
    if mongodb:
        mongodb.close()
    shutil.rmtree(TOP, ignore_errors=True)


def flags(kind):
    """A new, empty store of KIND, as flags of a command."""
    number = next(_numbers)
    data = ['--data', os.path.join(TOP, f'data{number}')]
    if kind == 'sqlite':
        return data
    if kind == 'postgres':
        postgres.make_database(f't{number}')
        return [*data, '--store', f'postgresql://lorry@127.0.0.1:{postgres.port("postgres")}/t{number}']
    if missing_mongo:
        raise unittest.SkipTest(missing_mongo)
    return [*data, '--store', mongodb.uri(number)]


class On(lorry.Server):
    """A server on a store that flags() gave."""

    def __init__(self, store, *more):
        os.makedirs(store[1], exist_ok=True)
        super().__init__(*store[2:], *APPROVE, *more, data=store[1])

    def user(self, *args, stdin='', expect=0):
        done = run('user', *args, '--data', self.data, *[f for f in self.flags if f.startswith(('--store', 'postgres', 'mongodb'))],
                   stdin=stdin)
        assert expect is None or done.returncode == expect, done
        return done


def city(server, seconds, tag):
    """People at work for SECONDS; the process."""
    return subprocess.Popen(
        [lorry.BINARY, 'simulate', f'http://127.0.0.1:{server.port}', '--drivers', '10', '--bookings-per-hour', '200', '--speed', '400',
         '--for', str(seconds), '--settle', '60', '--json', '--seed', '3', '--tag', tag],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=lorry.environment(), text=True, preexec_fn=lambda: lorry.die_with_parent({}))


def live(people, server, seconds, tag):
    """A city that lives and settles on SERVER, and whose audit is clean."""
    process = city(server, seconds, tag)
    out, err = process.communicate(timeout=150 * lorry.SLOW)
    assert process.returncode == 0, out[-2000:] + err[-2000:]
    people.append(json.loads(out.splitlines()[-1]))


def unpublished(folder):
    db = sqlite3.connect(os.path.join(folder, 'lorry.db'))
    count = db.execute('SELECT count(*) FROM outbox').fetchone()[0]
    db.close()
    return count


def fill(folder):
    """FOLDER becomes that of a server that was killed at work, with an open offer that nobody has answered."""
    with On(['--data', folder], '--offer-timeout-s', 15) as server:
        for name, role in (('boss', 'admin'), ('desk', 'dispatcher')):
            server.user('add', '--role', role, '--email', f'{name}@example.com', '--name', name, stdin=lorry.PASSWORD)
        process = city(server, 60, 'a')
        lorry.until(lambda: len(server.login('boss@example.com').get('/v1/bookings?limit=40', expect=200).json['items']) >= 20,
                    'the city is at work', 60 * lorry.SLOW, 0.5)
        customer = server.register(email='asha@example.com')
        # Far from the city: nobody else is asked.
        driver = server.driver(at=(57.9, 12.4), email='ola@example.com')
        booking = customer.post('/v1/bookings', {'quote_id': customer.quote((57.9, 12.4), (57.91, 12.41))['id'], 'payment': 'cash'},
                                key='the-key', expect=201).json
        driver.offer(booking['id'])
        for _ in range(10):  # until a kill has caught an event that was not published yet
            lorry.until(lambda: unpublished(folder), 'an event lies in the outbox', every_s=0)
            server.kill()
            if unpublished(folder):
                break
            server.start()
        process.kill()
        process.communicate()


def export(store, name=None):
    path = os.path.join(TOP, name or f'export{next(_numbers)}.jsonl')
    done = run('export', path, *store)
    assert done.returncode == 0, done
    return path


def bring(path, store):
    done = run('import', path, *store)
    assert done.returncode == 0, done
    assert 'read back and compared' in done.stdout
    return store


def records(path):
    """The lines between the first and the last, without what only says where a key lay."""
    found = []
    with open(path, encoding='utf-8') as file:
        for line in list(file)[1:-1]:
            record = json.loads(line)
            record.pop('in', None)
            found.append(json.dumps(record, sort_keys=True))
    return sorted(found)


def kinds(path):
    count = collections.Counter()
    for line in records(path):
        record = json.loads(line)
        count[next(k for k in ('doc', 'event', 'seen', 'answer') if k in record)] += 1
    return count


class Moves(unittest.TestCase):
    def test_everything_is_in_it(self):
        """Every table of the database is a collection of the export, or one of the store's own: none is left out."""
        path = export(['--data', os.path.join(TOP, 'city')])
        with open(path, encoding='utf-8') as file:
            lines = list(file)
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        db = sqlite3.connect(os.path.join(TOP, 'city', 'lorry.db'))
        names = {n for n, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")}
        self.assertEqual(set(first['collections']), names - OWN_TABLES)
        parts = {'events': 'outbox', 'dedupe keys': 'seen', 'answers': 'answers', **{n: n for n in first['collections']}}
        counts = {part: db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for part, table in parts.items()}
        self.assertEqual({part: n for part, (n, _) in last['parts'].items()}, {part: n for part, n in counts.items() if n})
        for part in ('accounts', 'keys', 'sessions', 'trails', 'bookings', 'drivers', 'inbox', 'events', 'dedupe keys', 'answers'):
            self.assertGreater(counts[part], 0, part)
        for doc, version, wake, state in db.execute('SELECT id, version, wake_at, state FROM bookings'):
            line = next(json.loads(s) for s in lines if s.startswith('{"doc":"bookings","id":"' + doc))
            self.assertEqual((line['version'], line.get('wake_at'), line['state']), (version, wake, json.loads(state)))
        db.close()

    def test_each_into_each(self):
        """The same records, wherever they have been."""
        begin = export(['--data', os.path.join(TOP, 'city')])
        wanted, seen = records(begin), kinds(begin)
        self.assertGreater(seen['event'], 0)
        self.assertGreater(seen['answer'], 0)
        at = {}
        for kind in KINDS:
            try:
                at[kind] = export(bring(begin, flags(kind)))
            except unittest.SkipTest as e:
                lorry.say(f'without MongoDB: {e}')
                continue
            self.assertEqual(records(at[kind]), wanted, f'sqlite to {kind}')
        for here, path in at.items():
            for there in at:
                if here != 'sqlite':
                    self.assertEqual(records(export(bring(path, flags(there)))), wanted, f'{here} to {there}')

    def test_life_goes_on(self):
        """From store to store, with a city at work on each: its audit is clean, logins, offers and answers are there."""
        path, people = os.path.join(TOP, 'life.jsonl'), []
        export(['--data', os.path.join(TOP, 'city')], 'life.jsonl')
        for kind in KINDS if not missing_mongo else KINDS[:2]:
            before = records(path)
            store = bring(path, flags(kind))
            with On(store) as server:
                self.goes_on(server, kind)
                if kind == 'mongodb' and 'stand-in' in mongodb.what:
                    lorry.say('no city on a stand-in for MongoDB, which takes one command at a time; cluster-mongodb books and drives on it')
                else:
                    live(people, server, 6, kind)
                if kind != 'mongodb':
                    export(store)  # of one moment, beside the server
                self.assertEqual(server.stop(), 0)
            path = export(store)
            after = {json.loads(r)['id']: json.loads(r) for r in records(path) if '"doc": "bookings"' in r}
            for record in map(json.loads, before):
                if record.get('doc') == 'bookings':
                    self.assertGreaterEqual(after[record['id']]['version'], record['version'])
            left = {json.loads(r)['event'] for r in records(path) if '"event": ' in r} & {json.loads(r).get('event') for r in before}
            self.assertEqual(left, set(), 'what was unpublished has been published')

    def goes_on(self, server, kind):
        self.assertGreater(len(server.login('boss@example.com').get('/v1/bookings?limit=50', expect=200).json['items']), 10)
        customer, driver = server.login('asha@example.com'), server.login('ola@example.com')
        booking = customer.get('/v1/bookings?limit=5', expect=200).json['items'][-1]
        if kind == KINDS[0]:
            lorry.until(lambda: driver.get('/v1/driver/offers', expect=200).json['items'] == [], "the offer's end comes, by its timer")
            again = customer.post('/v1/bookings', {'quote_id': 'qte' + booking['id'][3:], 'payment': 'cash'}, key='the-key').json
            self.assertEqual(again['id'], booking['id'], 'the answer to its idempotency key has come along')
        time.sleep(1.5)  # by then what nobody owned has been taken over
        lorry.until(lambda: b'\nlorry_outbox_in_flight 0\n' in server.api().get('/metrics').body, 'events are published')
        told = [(n['data']['id'], n['data']['version']) for n in customer.pages('/v1/notifications', 100) if n['type'] == 'booking.updated']
        self.assertEqual(len(told), len(set(told)), 'nobody is told twice')
        versions = [v for b, v in sorted(told) if b == booking['id']]
        self.assertEqual(versions, list(range(1, len(versions) + 1)), 'and nothing is left out')

    def test_through_a_pipe(self):
        city_data = ['--data', os.path.join(TOP, 'city')]
        store = flags('sqlite')
        done = subprocess.run(f'{lorry.BINARY} export {" ".join(city_data)} | gzip | gunzip | {lorry.BINARY} import - {" ".join(store)}',
                              shell=True, env=lorry.environment(), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(records(export(store)), records(export(city_data)))


def is_empty(store):
    """As it was made: nothing can be told from a store that never heard of an import."""
    if store[2:]:
        return kinds(export(store)) == {}
    return not os.path.exists(store[1])


class Wrong(unittest.TestCase):
    @classmethod
    def small(cls):
        """An export of a few records."""
        path = os.path.join(TOP, 'small.jsonl')
        if not os.path.exists(path):
            data = os.path.join(TOP, 'small')
            for n in range(3):
                run('user', 'add', '--role', 'admin', '--email', f'a{n}@example.com', '--name', 'A', '--data', data, stdin=lorry.PASSWORD)
            run('export', path, '--data', data)
        with open(path, 'rb') as file:
            return file.read()

    def refused(self, content, store, *words, code=1):
        path = os.path.join(TOP, f'wrong{next(_numbers)}')
        with open(path, 'wb') as file:
            file.write(content)
        by_name = run('import', path, *store)
        with open(path, 'rb') as file:
            by_pipe = subprocess.run([lorry.BINARY, 'import', '-', *store], input=file.read(), env=lorry.environment(),
                                     capture_output=True, check=False)
        for done in (by_name, by_pipe):
            self.assertEqual(done.returncode, code, done)
        for word in words:
            self.assertIn(word, by_name.stderr)
        self.assertTrue(is_empty(store))

    def test_cut_off(self):
        content, store = self.small(), flags('sqlite')
        ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
        for end in [0, 1, *ends[:-1], ends[-1] - 1, *random.Random(7).sample(range(len(content)), 10)]:
            self.refused(content[:end], store)
        for kind in KINDS[1:]:
            self.refused(content[:ends[-2]], flags(kind), 'cut off')
        self.refused(content + b'{}\n', store, 'follows')

    def test_cut_off_when_much_is_written(self):
        """Through a pipe it is known at the end only: what was written until then goes again."""
        path = export(['--data', os.path.join(TOP, 'city')])
        with open(path, 'rb') as file:
            content = file.read()
        self.assertGreater(content.count(b'\n'), 600)  # more than one page
        for kind in KINDS:
            with self.subTest(kind):
                store = flags(kind)
                done = subprocess.run([lorry.BINARY, 'import', '-', *store], input=content[:-9], env=lorry.environment(),
                                      capture_output=True, check=False)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn(b'cut off', done.stderr)
                self.assertTrue(is_empty(store))

    def test_a_flipped_byte(self):
        rng, content, store = random.Random(20261129), self.small(), flags('sqlite')
        for _ in range(60):
            wrong = bytearray(content)
            wrong[rng.randrange(len(wrong))] ^= 1 << rng.randrange(8)
            self.refused(bytes(wrong), store)

    def test_another_version(self):
        content, store = self.small(), flags('sqlite')
        self.refused(content.replace(b'"lorry_export":1', b'"lorry_export":2', 1), store, 'newer Lorry')
        self.refused(content.replace(b'"lorry_export":1', b'"lorry_import":1', 1), store, 'no export of Lorry')
        self.refused(content.replace(b'"emails":[', b'"hovercrafts":[', 1), store, 'hovercrafts')
        self.refused(content.replace(b'"accounts":["role"', b'"accounts":["rank"', 1), store, '"accounts"')

    def test_a_target_that_is_not_empty(self):
        path = os.path.join(TOP, 'small.jsonl')
        self.small()
        for kind in KINDS:
            with self.subTest(kind):
                store = bring(path, flags(kind))
                before = records(export(store))
                done = run('import', path, *store)
                self.assertEqual(done.returncode, 1, done)
                self.assertRegex(done.stderr, 'not empty|there already')
                self.assertEqual(records(export(store)), before)

    def test_a_server_at_work(self):
        self.small()
        for kind in KINDS[1:]:
            store = flags(kind)
            with On(store) as server:
                done = run('import', os.path.join(TOP, 'small.jsonl'), *store)
                self.assertEqual(done.returncode, 1, done)
                self.assertIn('stop it first', done.stderr)
                if kind == 'mongodb':
                    done = run('export', os.path.join(TOP, 'never'), *store)
                    self.assertEqual(done.returncode, 1, done)
                    self.assertIn('stop it first', done.stderr)
                    self.assertFalse(os.path.exists(os.path.join(TOP, 'never')))
                self.assertEqual(server.stop(), 0)

    def test_no_room(self):
        path = export(['--data', os.path.join(TOP, 'city')])
        store, to = flags('sqlite'), os.path.join(TOP, 'no-room')
        for args in (['import', path, *store], ['export', to, '--data', os.path.join(TOP, 'city')]):
            done = subprocess.run([lorry.BINARY, *args], env=lorry.environment(), capture_output=True, text=True, check=False,
                                  preexec_fn=lambda: lorry.die_with_parent({resource.RLIMIT_FSIZE: 300_000}))
            self.assertEqual(done.returncode, 1, done)
            self.assertRegex(done.stderr, r'cannot write .*(full|too large|disk I/O)')
        self.assertFalse(os.path.exists(to) or os.path.exists(to + '.partial'))
        self.assertTrue(is_empty(store))

    def test_killed_in_the_middle(self):
        """Once more goes through, and there is never half of it."""
        path = export(['--data', os.path.join(TOP, 'city')])
        wanted = records(path)
        for kind in KINDS:
            with self.subTest(kind):
                store = flags(kind)
                child = subprocess.Popen([lorry.BINARY, 'import', path, *store], env=lorry.environment(), stdout=subprocess.DEVNULL)
                timer = threading.Timer(0.12, child.kill)
                timer.start()
                child.wait()
                timer.cancel()
                if child.returncode == 0:
                    lorry.say(f'{kind}: it was done before it was killed')
                elif (again := run('import', path, *store)).returncode != 0:  # all of it is there, or nothing is
                    self.assertIn('already', again.stderr)
                    lorry.say(f'{kind}: it was killed between its last step and its end')
                self.assertEqual(records(export(store)), wanted)

    def test_words(self):
        self.small()
        for args, word in ((['import', '/nowhere'], '/nowhere'), (['export', os.path.join(TOP, 'x'), '--data', '/nowhere'], '/nowhere'),
                           (['export', os.path.join(TOP, 'small.jsonl'), '--data', os.path.join(TOP, 'small')], 'small.jsonl is there already')):
            done = run(*args)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(word, done.stderr)


if __name__ == '__main__':
    lorry.main(at_once=2)
