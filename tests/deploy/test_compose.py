#!/usr/bin/env python3
"""What deploy/compose tells PostgreSQL and Redis, tried with the real servers in a network and a file system of their own:
the standby follows and takes over, Sentinel makes the replica the master.

Usage: test_compose.py LORRY [TEST]...
"""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from proxy import ROOT, free_port, lorry
from lorry import until

COMPOSE = ROOT / 'deploy/compose'
POSTGRES = Path('/usr/lib/postgresql/15/bin')


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise unittest.SkipTest(f'there is no {program}')


class Processes:
    """Started here, ended here."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='lorry-compose-'))
        self.all = []

    def start(self, name, command, **env):
        with open(self.folder / f'{name}.log', 'ab') as log:
            self.all.append(subprocess.Popen([str(c) for c in command], env={'PATH': os.environ['PATH'], **env}, stdout=log,
                                             stdin=subprocess.DEVNULL, stderr=log,
                                             preexec_fn=lambda: lorry.die_with_parent({})))
        return self.all[-1]

    def logs(self):
        return '\n'.join(f'---- {p.name}\n{p.read_text()[-1500:]}' for p in sorted(self.folder.glob('*.log')))

    def close(self):
        for process in self.all:
            if process.poll() is None:
                process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(unittest.TestCase):
    def test_sentinel_makes_the_replica_the_master(self):
        need('redis-server', 'redis-cli')
        processes = Processes()
        self.addCleanup(processes.close)
        secret = processes.folder / 'password'
        secret.write_text('s3cret')
        script = COMPOSE / 'redis/redis.sh'
        main, other, *watchers = (free_port() for _ in range(5))

        def environment(name, port):
            folder = processes.folder / name
            folder.mkdir(exist_ok=True)
            return {'LORRY_REDIS_FOLDER': str(folder), 'LORRY_REDIS_PORT': str(port), 'LORRY_REDIS_BIND': '127.0.0.1',
                    'LORRY_REDIS_PASSWORD_FILE': str(secret), 'LORRY_REDIS_MASTER': f'127.0.0.1 {main}'}

        def ask(port, *command, password='s3cret'):
            env = {'PATH': os.environ['PATH'], **({'REDISCLI_AUTH': password} if password else {})}
            done = subprocess.run(['redis-cli', '-p', str(port), *command], env=env, capture_output=True, text=True,
                                  check=False, timeout=20)
            return done.stdout.strip()

        try:
            server = processes.start('server', ['sh', script, 'server'], **environment('server', main))
            until(lambda: ask(main, 'ping') == 'PONG', 'the master answers')
            self.assertIn('NOAUTH', ask(main, 'ping', password=None))
            self.assertEqual(ask(main, 'config', 'get', 'maxmemory-policy').split()[-1], 'volatile-lru')
            processes.start('replica', ['sh', script, 'replica'], **environment('replica', other))
            for i, port in enumerate(watchers):
                processes.start(f'sentinel{i}', ['sh', script, 'sentinel'], **environment(f'sentinel{i}', port))
            ask(main, 'set', 'here', 'it is')
            until(lambda: ask(other, 'get', 'here') == 'it is', 'the replica has it')

            def master(port):
                return ask(port, 'sentinel', 'get-master-addr-by-name', 'lorry', password=None).split()[-1:]
            until(lambda: all(ask(p, 'sentinel', 'ckquorum', 'lorry', password=None).startswith('OK 3') for p in watchers),
                  'three sentinels know each other', 30)
            until(lambda: 'num-slaves\n1\n' in ask(watchers[0], 'sentinel', 'master', 'lorry', password=None) + '\n',
                  'the sentinels know the replica', 30)
            server.kill()
            until(lambda: all(master(p) == [str(other)] for p in watchers), 'the replica is the master', 60)
            self.assertEqual(ask(other, 'set', 'after', 'it'), 'OK')
        except BaseException:
            lorry.say(processes.logs())
            raise


PRIMARY = r'''
set -euo pipefail
ip link set lo up
mount --bind "$WORK/hosts" /etc/hosts
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets /run/postgresql /run/standby
chmod 777 /run/postgresql /run/standby
cp "$WORK"/secrets/* /run/secrets/
mkdir -p "$WORK/etc/lorry"
cp "$COMPOSE"/postgres/*.conf "$WORK/etc/lorry/"
# /etc with one folder more; the machine's own is left alone.
mount -t overlay overlay -o "lowerdir=$WORK/etc:/etc" /etc 2>/dev/null || { mkdir -p /etc/lorry; mount --bind "$WORK/etc/lorry" /etc/lorry; }
mount --bind "$WORK/hosts" /etc/hosts
chown -R postgres "$WORK/primary" "$WORK/standby"
export PATH="$POSTGRES:$PATH" POSTGRES_USER=lorry POSTGRES_DB=lorry
as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
as_lorry() { as env PGPASSWORD="$(cat /run/secrets/postgres_password)" "$@"; }
sql() { as_lorry psql -X -A -t -v ON_ERROR_STOP=1 -h "$1" -U lorry -d lorry -c "$2"; }
wait_for() { # WHAT COMMAND...
    for _ in $(seq 300); do if [ "$("${@:2}" 2>/dev/null)" = "$1" ]; then return; fi; sleep 0.1; done
    echo "not: $*" >&2; "${@:2}" >&2 || true; exit 1
}
# As the image's entrypoint does it the first time.
as initdb -D "$WORK/primary" --username=lorry --pwfile=/run/secrets/postgres_password --auth=scram-sha-256 \
    --data-checksums --encoding=UTF8 >/dev/null
as pg_ctl -D "$WORK/primary" -w -o '-c listen_addresses= -c unix_socket_directories=/run/postgresql' start >/dev/null
as_lorry createdb -h /run/postgresql -U lorry lorry
as_lorry env PGHOST=/run/postgresql bash "$COMPOSE/postgres/primary.sh" >/dev/null
as pg_ctl -D "$WORK/primary" -w stop >/dev/null
as postgres -D "$WORK/primary" -c config_file=/etc/lorry/postgresql.conf -c listen_addresses=127.0.0.2 -c shared_buffers=16MB \
    -c unix_socket_directories=/run/postgresql &
wait_for 1 sql postgres 'select 1'
as env PGDATA="$WORK/standby" TMPDIR=/run/standby sh "$COMPOSE/postgres/standby.sh" -c listen_addresses=127.0.0.3 -c shared_buffers=16MB \
    -c unix_socket_directories=/run/standby &
wait_for 'standby|sync' sql postgres 'select application_name, sync_state from pg_stat_replication'
sql postgres 'create table t (x int); insert into t values (1)'
wait_for 1 sql postgres-standby 'select x from t'
! sql postgres-standby 'insert into t values (9)' 2>/dev/null
! as env PGPASSWORD=wrong psql -h postgres -U lorry -d lorry -c 'select 1' 2>/dev/null
kill -KILL "$(head -n 1 "$WORK/primary/postmaster.pid")"
as pg_ctl promote -w -D "$WORK/standby" >/dev/null
sql postgres-standby 'insert into t values (2)'
[ "$(sql postgres-standby 'select sum(x) from t')" = 3 ]
# The URL of make-secrets.sh finds it, although the primary is named first.
[ "$(as psql -X -A -t -d "$(cat /run/secrets/store_url)" -c 'select count(*) from t')" = 2 ]
echo whole
'''


class Postgres(unittest.TestCase):
    def test_the_standby_follows_and_takes_over(self):
        need('unshare', 'setpriv', 'ip')
        if os.geteuid() != 0 or subprocess.run(['unshare', '--mount', '--net', 'true'], check=False, capture_output=True).returncode:
            raise unittest.SkipTest('needs root, for a network of its own')
        if not POSTGRES.exists():
            raise unittest.SkipTest(f'there is no {POSTGRES}')
        with tempfile.TemporaryDirectory(prefix='lorry-compose-') as folder:
            work = Path(folder)
            work.chmod(0o755)
            for name in ('primary', 'standby', 'secrets', 'etc'):
                (work / name).mkdir()
            (work / 'hosts').write_text('127.0.0.1 localhost\n127.0.0.2 postgres\n127.0.0.3 postgres-standby\n')
            subprocess.run([COMPOSE / 'make-secrets.sh', work / 'secrets'], check=True, timeout=60)
            done = subprocess.run(['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-c',
                                   PRIMARY], env={'PATH': os.environ['PATH'], 'WORK': folder, 'COMPOSE': str(COMPOSE),
                                                  'POSTGRES': str(POSTGRES)},
                                  capture_output=True, text=True, check=False, timeout=150 * lorry.SLOW)
            self.assertEqual((done.returncode, done.stdout.split()[-1:]), (0, ['whole']), done.stdout + done.stderr[-4000:])


if __name__ == '__main__':
    lorry.main(at_once=2)
