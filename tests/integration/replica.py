"""Lists from a read replica, on a real primary and a real standby: what is held back there, and what nobody may miss."""
import atexit
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

import lorry
from lorry import PASSWORD, Server, WebSocket, run, until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
import cluster  # noqa: E402

LAG_MAX_S = 2
_servers = None


def setUpModule():
    global _servers
    folder = tempfile.mkdtemp(prefix='lorry-replica-')
    os.chmod(folder, 0o755)  # PostgreSQL's user goes through it
    _servers = cluster.Cluster(folder, rabbits=0, sentinels=0, say=lambda text: None, with_us=True)
    _servers.make_folders()
    atexit.register(end)
    _servers.start_databases()


def end():
    for name in ('standby', 'postgres'):
        _servers.end(name, signal.SIGKILL)
    shutil.rmtree(_servers.folder, ignore_errors=True)


def url(name):
    return f'postgresql://lorry@127.0.0.1:{_servers.port(name)}/lorry'


class Reading(unittest.TestCase):
    def metric(self, name, **labels):
        text = self.server.api().call('GET', '/metrics', expect=200).body.decode()
        label = ''.join(f'{{{key}="{value}"}}' for key, value in labels.items())
        return float(re.search(rf'(?m)^{name}{re.escape(label)} (\S+)$', text)[1])

    def lists(self, source):
        return self.metric('lorry_store_replica_lists_total', **{'from': source})

    def staff(self, role):
        email = f'{role}-{time.monotonic_ns()}@example.com'  # the tests share a database
        done = run('user', 'add', '--role', role, '--email', email, '--name', f'The {role}', '--data', self.server.data,
                   stdin=PASSWORD + '\n', env={'LORRY_STORE': url('postgres')})
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.server.login(email)

    @staticmethod
    def ids(api, path='/v1/bookings'):
        return {item['id'] for item in api.get(path, expect=200).json['items']}

    def test_a_replica_that_stands_still(self):
        with Server('--store', url('postgres'), '--store-read', url('standby'), '--store-read-lag-s', LAG_MAX_S,
                    '--driver-approval', 'auto') as self.server:
            customer, staff, admin = self.server.register(), self.staff('dispatcher'), self.staff('admin')
            first = customer.book()['id']
            until(lambda: first in self.ids(staff) and self.lists('replica'), 'the replica tells staff of it')

            _servers.sql('standby', 'select pg_wal_replay_pause()')
            made = time.monotonic()
            second = customer.book()['id']
            # Whose it is, and who asks for it by its id, sees it at once; so does the socket, which reads the inbox.
            self.assertEqual(customer.booking(second)['id'], second)
            self.assertEqual(staff.booking(second)['id'], second)
            self.assertEqual(self.ids(customer), {first, second})
            until(lambda: second in str(customer.get('/v1/notifications', expect=200).json), 'his inbox tells of it', LAG_MAX_S / 2)
            with WebSocket(self.server, customer.token) as socket:
                passed = []
                socket.send({'type': 'resume', 'after': 0})
                socket.expect('resumed', passed=passed)
                self.assertIn(second, str(passed))
            driver = self.server.register('driver')
            self.server.login(driver.user['email'])  # one who has registered may sign in
            # The list of all may be behind, but not for longer than was said.
            seen_after = None
            while seen_after is None:
                asked = time.monotonic()
                if second in self.ids(staff):
                    seen_after = asked - made
                else:
                    self.assertLess(asked - made, LAG_MAX_S + 0.5)
                time.sleep(0.05)
            self.assertGreater(seen_after, 0.2, 'the standby was not held back: this test shows nothing')
            self.assertIn(driver.user['id'], self.ids(admin, '/v1/users'))
            self.assertGreater(self.lists('primary_replica_behind'), 0)
            self.assertGreater(self.metric('lorry_store_replica_lag_seconds'), LAG_MAX_S)
            lorry.say(f'standing still: the list of all has it after {seen_after:.1f} s')

            _servers.sql('standby', 'select pg_wal_replay_resume()')
            served = self.lists('replica')
            until(lambda: self.ids(staff) and self.lists('replica') > served, 'the replica is asked again')
            self.assertLessEqual({first, second}, self.ids(staff))
            self.assertLess(self.metric('lorry_store_replica_lag_seconds'), LAG_MAX_S)

    def test_a_replica_that_is_away(self):
        # The primary waits for its synchronous standby: not here, where that goes away.
        _servers.sql('postgres', "alter system set synchronous_standby_names = ''")
        _servers.sql('postgres', 'select pg_reload_conf()')
        with Server('--store', url('postgres'), '--store-read', url('standby')) as self.server:
            customer, staff = self.server.register(), self.staff('dispatcher')
            first = customer.book()['id']
            until(lambda: first in self.ids(staff) and self.lists('replica'), 'the replica tells staff of it')
            _servers.end('standby', signal.SIGKILL)
            second = customer.book()['id']
            self.assertIn(second, self.ids(staff))
            self.assertGreater(self.lists('primary_replica_away'), 0)
            _servers.start_postgres('standby')
            served = self.lists('replica')
            until(lambda: second in self.ids(staff) and self.lists('replica') > served, 'the replica is asked again')


if __name__ == '__main__':
    try:
        cluster.Cluster('/', rabbits=0, sentinels=0, lorry=sys.executable).check_installed()
    except cluster.ClusterError as e:
        print(f'skipped: {e}')
        sys.exit(77)
    lorry.main()
