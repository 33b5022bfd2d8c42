#!/usr/bin/env python3
"""The scaled shape of Lorry on one machine, from Debian's servers: PostgreSQL (with a synchronous standby), RabbitMQ
(three nodes), Redis (with a replica and sentinels), replicas of each service, and Nginx in front of them.

    cluster.py start [--city] [--replicas N] [--small] [--store URI]      make cluster
    cluster.py stop                                         make cluster-stop
    cluster.py status

All state, every log and every pid lies under one folder (--folder, default build/cluster); all listen on 127.0.0.1
only. Only what was started from that folder is ever ended: a pid counts only with the start time it had. Starting
again goes on with the state that is there; to begin anew, stop and delete the folder.

As a module it gives tests the same cluster on free ports: see tests/integration/cluster.py.
"""

import argparse
import ctypes
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ('auth', 'booking', 'driver', 'notification')
POSTGRES = Path('/usr/lib/postgresql/15/bin')
RABBIT = Path('/usr/lib/rabbitmq/bin')
FIRST_PORT = 18400
PACKAGES = {'postgres': 'postgresql-15', 'rabbitmq-server': 'rabbitmq-server', 'redis-server': 'redis-server',
            'nginx': 'nginx-light', 'openssl': 'openssl'}


class ClusterError(Exception):
    pass


def die_with_parent(how=signal.SIGKILL):
    """In a child, before it becomes the program: the kernel ends it with us."""
    ctypes.CDLL(None).prctl(1, how)  # PR_SET_PDEATHSIG


def end_with_parent():
    """For a program whose own children outlive it when it is killed: Nginx."""
    die_with_parent(signal.SIGTERM)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(('127.0.0.1', port)) == 0


def born(pid):
    """When the process began, in clock ticks since the boot; None: there is none, or it has ended."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] == 'Z' else int(fields[19])


def enterable(folder):
    """By PostgreSQL's user; the folder may be yet to be made."""
    return all(above.stat().st_mode & 0o001 for above in [folder, *folder.parents] if above.exists())


def home(name, make=True):
    """build/NAME. Where PostgreSQL does not run as us, and its user cannot go there (a clone in Debian's /root), that is
    a link to a folder of its own below /var/tmp."""
    folder = ROOT / 'build' / name
    if make and os.getuid() == 0 and not folder.is_symlink() and not folder.exists() and not enterable(folder):
        there = Path(tempfile.mkdtemp(prefix=f'lorry-{name}-', dir='/var/tmp'))
        there.chmod(0o755)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.symlink_to(there)
    return folder


class Cluster:
    def __init__(self, folder, *, replicas=2, standby=True, rabbits=3, sentinels=3, ports=None, say=print, lorry=None,
                 settings=(), behind=None, number=0, with_us=False, store=None, postgres_settings=()):
        """PORTS: the first of them; None: free ones. BEHIND: another cluster, whose PostgreSQL and RabbitMQ this one
        uses: it has a database and a virtual host of its own there, by NUMBER. WITH_US: all end when this program does.
        STORE: the URI of a store that is there already, instead of a PostgreSQL of the cluster's own."""
        self.folder = Path(folder).resolve()
        self.replicas, self.standby, self.rabbits, self.sentinels = replicas, standby and not store, rabbits, sentinels
        self.store = store
        self.say = say
        self.lorry = str(lorry or ROOT / 'build/lorry')
        self.settings = list(settings)  # further flags of every `lorry serve`
        self.postgres_settings = list(postgres_settings)  # NAME=VALUE
        self.behind, self.number, self.with_us = behind or self, number, with_us
        self.web = None       # the folder of the built web app
        self.streets = None   # GeoJSON road lines
        self.ports = {}
        self.next_port = ports
        self.children = {}

    # ---- ports and processes ----

    def port(self, name):
        if name not in self.ports:
            if self.next_port is None:
                self.ports[name] = free_port()
            elif answers(self.next_port):
                raise ClusterError(f'port {self.next_port} is taken by another program; --first-port N begins elsewhere')
            else:
                self.ports[name] = self.next_port
                self.next_port += 1
        return self.ports[name]

    def path(self, *parts):
        return self.folder.joinpath(*parts)

    def pid_of(self, name):
        """The living process of that name, or None."""
        try:
            pid, began = map(int, self.path('run', name + '.pid').read_text().split())
        except (OSError, ValueError):
            return None
        return pid if born(pid) == began else None

    def spawn(self, name, argv, env=None, user=None):
        if self.pid_of(name):
            raise ClusterError(f'{name} runs already')
        log = open(self.path('log', name + '.log'), 'ab')
        ids = {}
        if user and os.getuid() == 0:
            entry = pwd.getpwnam(user)
            ids = {'user': entry.pw_uid, 'group': entry.pw_gid, 'extra_groups': []}
        ending = end_with_parent if name == 'nginx' else die_with_parent
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=str(self.folder),
                                 start_new_session=True, preexec_fn=ending if self.with_us else None, **ids)
        log.close()
        self.children[name] = child
        self.path('run', name + '.pid').write_text(f'{child.pid} {born(child.pid) or 0}\n')
        return child

    def wait(self, name, ready, seconds=60):
        until = time.monotonic() + seconds
        while not ready():
            child = self.children.get(name)
            if child is not None and child.poll() is not None:
                raise ClusterError(f'{name} ended with status {child.returncode}; see {self.path("log", name + ".log")}')
            if time.monotonic() > until:
                raise ClusterError(f'{name} is not ready after {seconds} s; see {self.path("log", name + ".log")}')
            time.sleep(0.05)

    def end(self, name, how=signal.SIGTERM, seconds=30):
        """Ends what runs under NAME, if it was started here; kills it when it takes too long."""
        pid = self.pid_of(name)
        if pid is None:
            return
        os.kill(pid, how)
        until = time.monotonic() + seconds
        while self.alive(name, pid):
            if time.monotonic() > until and how != signal.SIGKILL:
                self.say(f'  {name} does not leave; it is killed')
                how = signal.SIGKILL
                os.kill(pid, how)
            time.sleep(0.02)

    def alive(self, name, pid):
        child = self.children.get(name)
        if child is not None and child.pid == pid:
            return child.poll() is None
        return born(pid) is not None

    def send(self, name, how):
        pid = self.pid_of(name)
        if pid is None:
            raise ClusterError(f'{name} does not run')
        os.kill(pid, how)

    # ---- PostgreSQL ----

    def postgres_tool(self, tool, *args):
        run = subprocess.run([str(POSTGRES / tool), *args], capture_output=True, text=True, cwd='/',
                             env={**os.environ, 'PGCONNECT_TIMEOUT': '5'}, preexec_fn=self.become_postgres if os.getuid() == 0 else None)
        if run.returncode != 0:
            raise ClusterError(f'{tool}: {run.stderr.strip()}')
        return run.stdout

    @staticmethod
    def become_postgres():
        entry = pwd.getpwnam('postgres')
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)

    def own_by_postgres(self, path):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.getuid() == 0:
            entry = pwd.getpwnam('postgres')
            os.chown(path, entry.pw_uid, entry.pw_gid)
            if not enterable(self.folder):
                raise ClusterError(f'PostgreSQL does not run as root, and its user cannot enter {self.folder}; '
                                   'choose another --folder')

    def sql(self, name, text):
        return self.postgres_tool('psql', '-h', '127.0.0.1', '-p', str(self.port(name)), '-U', 'lorry', '-d', 'postgres',
                                  '-Atqc', text).strip()

    def start_postgres(self, name):
        data = self.path(name, 'data')
        more = [word for setting in self.postgres_settings for word in ('-c', setting)]
        # A standby looks for a primary that has come back twice a second, not each five: commits wait for it.
        self.spawn(name, [str(POSTGRES / 'postgres'), '-D', str(data), '-c', 'listen_addresses=127.0.0.1',
                          '-c', f'port={self.port(name)}', '-c', f'unix_socket_directories={self.path(name)}',
                          '-c', 'max_connections=300', '-c', 'shared_buffers=128MB', '-c', 'wal_level=replica',
                          '-c', 'max_wal_senders=8', '-c', 'hot_standby=on', '-c', 'wal_retrieve_retry_interval=500ms', *more],
                   user='postgres')
        self.wait(name, lambda: self.try_sql(name))

    def try_sql(self, name):
        try:
            return self.sql(name, 'select 1') == '1'
        except ClusterError:
            return False

    def start_databases(self):
        first = not self.path('postgres', 'data', 'PG_VERSION').exists()
        self.own_by_postgres(self.path('postgres'))
        if first:
            self.postgres_tool('initdb', '-D', str(self.path('postgres', 'data')), '-U', 'lorry', '-A', 'trust', '-E', 'UTF8',
                               '--locale=C.UTF-8')
        self.start_postgres('postgres')
        self.make_database('lorry')
        if not self.standby:
            return
        self.follow('standby', 'postgres')

    def follow(self, name, primary):
        """NAME becomes the synchronous standby of PRIMARY; a copy of that, if there is nothing yet."""
        self.own_by_postgres(self.path(name))
        if not self.path(name, 'data', 'PG_VERSION').exists():
            self.postgres_tool('pg_basebackup', '-h', '127.0.0.1', '-p', str(self.port(primary)), '-U', 'lorry', '-D',
                               str(self.path(name, 'data')), '-R', '-X', 'stream', '-C', '-S', 'standby', '-c', 'fast')
        self.start_postgres(name)
        self.sql(primary, "alter system set synchronous_standby_names = '*'")
        self.sql(primary, 'select pg_reload_conf()')
        self.wait(name, lambda: self.sql(primary, "select sync_state from pg_stat_replication") == 'sync')

    def make_database(self, name):
        if not self.sql('postgres', f"select 1 from pg_database where datname = '{name}'"):
            self.sql('postgres', f'create database {name}')

    # ---- RabbitMQ ----

    def rabbitctl(self, *args):
        run = subprocess.run([str(RABBIT / 'rabbitmqctl'), '--quiet', '-n', 'rabbit1@localhost', *args],
                             env=self.rabbit_env('rabbit1'), capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise ClusterError(f'rabbitmqctl {args[0]}: {run.stdout}{run.stderr}')
        return run.stdout

    def rabbit_names(self):
        return [f'rabbit{i + 1}' for i in range(self.rabbits)]

    def rabbit_env(self, name):
        folder = self.path(name)
        return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LANG': 'C.UTF-8', 'HOME': str(self.path('rabbit')),
                'RABBITMQ_NODENAME': f'{name}@localhost', 'RABBITMQ_NODE_IP_ADDRESS': '127.0.0.1',
                'RABBITMQ_NODE_PORT': str(self.port(name)), 'RABBITMQ_DIST_PORT': str(self.port(name + '-dist')),
                'ERL_EPMD_PORT': str(self.port('epmd')), 'ERL_EPMD_ADDRESS': '127.0.0.1',
                'RABBITMQ_MNESIA_BASE': str(folder / 'state'), 'RABBITMQ_LOG_BASE': str(folder / 'log'),
                'RABBITMQ_PID_FILE': str(folder / 'pid'), 'RABBITMQ_CONFIG_FILE': str(self.path('rabbit', 'rabbitmq.conf')),
                'RABBITMQ_CONF_ENV_FILE': '/dev/null', 'RABBITMQ_ENABLED_PLUGINS_FILE': str(self.path('rabbit', 'plugins')),
                'RUNNING_UNDER_SYSTEMD': '1', 'RABBITMQ_CTL_ERL_ARGS': '+S 1:1',
                'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 '
                                                       '+sbwt none +sbwtdcpu none +sbwtdio none'}

    def start_rabbit(self, name):
        """Also again, after it was ended."""
        self.path(name).mkdir(exist_ok=True)
        self.spawn(name, [str(RABBIT / 'rabbitmq-server')], env=self.rabbit_env(name))

    def start_rabbits(self):
        folder = self.path('rabbit')
        folder.mkdir(exist_ok=True)
        cookie = folder / '.erlang.cookie'
        if not cookie.exists():
            cookie.write_text(os.urandom(16).hex())
            cookie.chmod(0o400)
        (folder / 'plugins').write_text('[].\n')
        nodes = ''.join(f'cluster_formation.classic_config.nodes.{i + 1} = {name}@localhost\n'
                        for i, name in enumerate(self.rabbit_names()))
        (folder / 'rabbitmq.conf').write_text('cluster_formation.peer_discovery_backend = classic_config\n' + nodes)
        self.spawn('epmd', ['epmd', '-port', str(self.port('epmd')), '-address', '127.0.0.1'])
        self.wait('epmd', lambda: answers(self.port('epmd')))
        for name in self.rabbit_names():
            self.start_rabbit(name)
        for name in self.rabbit_names():
            self.wait(name, lambda name=name: answers(self.port(name)), 180)

    # ---- Redis ----

    def start_redis(self, name, *more):
        self.path(name).mkdir(exist_ok=True)
        self.spawn(name, ['redis-server', '--port', str(self.port(name)), '--bind', '127.0.0.1', '--dir',
                          str(self.path(name)), '--save', '', '--appendonly', 'no', *more])
        self.wait(name, lambda: answers(self.port(name)))

    def start_caches(self):
        self.start_redis('redis')
        if self.sentinels == 0:
            return
        self.start_redis('redis2', '--replicaof', f'127.0.0.1 {self.port("redis")}')
        for i in range(self.sentinels):
            name = f'sentinel{i + 1}'
            self.path(name).mkdir(exist_ok=True)
            conf = self.path(name, 'sentinel.conf')  # the sentinel writes to it
            conf.write_text(f'port {self.port(name)}\nbind 127.0.0.1\ndir {self.path(name)}\n'
                            f'sentinel monitor lorry 127.0.0.1 {self.port("redis")} {self.sentinels // 2 + 1}\n'
                            'sentinel down-after-milliseconds lorry 2000\nsentinel failover-timeout lorry 10000\n')
            self.spawn(name, ['redis-server', str(conf), '--sentinel'])
            self.wait(name, lambda name=name: answers(self.port(name)))

    def cache_url(self):
        if self.sentinels == 0:
            return f'redis://127.0.0.1:{self.port("redis")}'
        hosts = ','.join(f'127.0.0.1:{self.port(f"sentinel{i + 1}")}' for i in range(self.sentinels))
        return f'redis+sentinel://{hosts}/lorry'

    # ---- Lorry ----

    def lorry_names(self):
        return [f'{service}{i + 1}' for service in SERVICES for i in range(self.replicas)]

    def store_flags(self):
        return ['--data', str(self.path('lorry')), '--store-file', str(self.path('lorry', 'store'))]

    def postgres_url(self, database):
        """Of a database on the cluster's own servers, which is made if it is not there."""
        self.behind.make_database(database)
        hosts = ','.join(f'127.0.0.1:{self.behind.port(name)}' for name in ['postgres'] + ['standby'] * self.behind.standby)
        return f'postgresql://lorry@{hosts}/{database}?target_session_attrs=read-write'

    def write_secrets(self):
        """URLs with passwords in them are read from files."""
        folder = self.path('lorry')
        folder.mkdir(exist_ok=True)
        brokers = ','.join(f'127.0.0.1:{self.behind.port(name)}' for name in self.behind.rabbit_names())
        own = f'lorry{self.number or ""}'
        if self.behind is not self:
            self.behind.rabbitctl('add_vhost', own)
            self.behind.rabbitctl('set_permissions', '-p', own, 'guest', '.*', '.*', '.*')
        for name, url in (('store', self.store or self.postgres_url(own)),
                          ('bus', f'amqp://guest:guest@{brokers}/{own if self.behind is not self else ""}')):
            (folder / name).write_text(url + '\n')
            (folder / name).chmod(0o600)

    def start_lorry(self, name, lorry=None, more=(), **files):
        """MORE: further flags. FILES: store or bus, other files with their URLs than those of all."""
        service = name.rstrip('0123456789')
        data = self.path('lorry', name)
        data.mkdir(exist_ok=True)
        self.spawn(name, [lorry or self.lorry, 'serve', '--service', service, '--listen', f'127.0.0.1:{self.port(name)}',
                          '--data', str(data), '--store-file', str(files.get('store', self.path('lorry', 'store'))),
                          '--bus-file', str(files.get('bus', self.path('lorry', 'bus'))), '--cache', self.cache_url(),
                          '--workers', '1', '--trusted-proxies', '127.0.0.1', *self.roads(service), *self.settings, *more])

    def roads(self, service):
        """Who routes, and has the map, needs the streets."""
        return ['--streets', str(self.streets)] if self.streets and service in ('booking', 'driver') else []

    def ready(self, name):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.port(name)}/readyz', timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def start_services(self):
        self.write_secrets()
        for name in self.lorry_names():
            self.start_lorry(name)
            if name == 'auth1':  # it makes the tables; the others find them
                self.wait(name, lambda: self.ready('auth1'))
        for name in self.lorry_names():
            self.wait(name, lambda name=name: self.ready(name))

    # ---- Nginx ----

    def nginx_config(self):
        folder = self.path('nginx')
        env = {'PATH': os.environ['PATH'], 'LORRY_SERVER_NAME': '_',
               'LORRY_TLS_CERTIFICATE': str(folder / 'certificate.pem'), 'LORRY_TLS_KEY': str(folder / 'key.pem'),
               'LORRY_HTTP_LISTEN': f'127.0.0.1:{self.port("redirect")}', 'LORRY_HTTPS_LISTEN': f'127.0.0.1:{self.port("https")}',
               'LORRY_WEB': str(self.web or folder / 'web'), 'LORRY_ACME': str(folder), 'LORRY_NGINX_RUN': str(folder / 'run'),
               'LORRY_NGINX_ACCESS_LOG': str(folder / 'access.log'),
               # One machine is all of the clients: limits are for many of them.
               'LORRY_ADDRESS_RATE': '100000r/s', 'LORRY_ADDRESS_BURST': '50000', 'LORRY_AUTH_RATE': '100000r/s',
               'LORRY_AUTH_BURST': '100000', 'LORRY_ADDRESS_CONNECTIONS': '65000'}
        if os.getuid() == 0:
            env['LORRY_NGINX_USER'] = 'root'
        for service in SERVICES:
            env[f'LORRY_{service.upper()}'] = ' '.join(
                f'127.0.0.1:{self.port(f"{service}{i + 1}")}' for i in range(self.replicas))
        run = subprocess.run([str(ROOT / 'deploy/nginx/render.sh')], env=env, capture_output=True, text=True)
        if run.returncode != 0:
            raise ClusterError(run.stderr.strip())
        return self.with_plain_http(run.stdout)

    def with_plain_http(self, text):
        """The server once more without TLS, for clients on this machine that speak none (`lorry simulate`, tests)."""
        found = re.search(r'^    server \{\n        listen [^\n]* ssl.*?^    \}\n', text, re.S | re.M)
        if not found:
            raise ClusterError('there is no TLS server in the configuration of Nginx')
        plain = re.sub(r'listen [^\n]*;', f'listen 127.0.0.1:{self.port("http")};', found.group(0), count=1)
        plain = re.sub(r'^ *(http2 on;|add_header Strict-Transport-Security [^\n]*)\n', '', plain, flags=re.M)
        return text[:found.end()] + plain + text[found.end():]

    def start_nginx(self):
        folder = self.path('nginx')
        (folder / 'run').mkdir(parents=True, exist_ok=True)
        web = folder / 'web'
        web.mkdir(exist_ok=True)
        if not (folder / 'key.pem').exists():
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days',
                            '30', '-subj', '/CN=localhost', '-keyout', str(folder / 'key.pem'), '-out',
                            str(folder / 'certificate.pem')], check=True, capture_output=True)
        (folder / 'nginx.conf').write_text(self.nginx_config())
        self.spawn('nginx', ['nginx', '-e', 'stderr', '-c', str(folder / 'nginx.conf'), '-g', 'daemon off;'])
        self.wait('nginx', lambda: answers(self.port('http')))

    def url(self):
        return f'http://127.0.0.1:{self.port("http")}'

    # ---- the whole ----

    def check_installed(self):
        found = {'postgres': (POSTGRES / 'postgres').exists(), 'rabbitmq-server': (RABBIT / 'rabbitmq-server').exists()}
        wanted = {tool: package for tool, package in PACKAGES.items() if not (self.store and tool == 'postgres')}
        missing = [package for tool, package in wanted.items()
                   if not found.get(tool, tool not in found and shutil.which(tool, path=os.environ['PATH'] + ':/usr/sbin'))]
        if missing:
            raise ClusterError('these packages are missing: ' + ' '.join(missing) + ' ("scripts/install-deps.sh cluster" gets them)')
        if not Path(self.lorry).exists():
            raise ClusterError(f'{self.lorry} is not built yet: make')

    def load(self):
        """The ports that it has, if it was started before."""
        try:
            saved = json.loads(self.path('cluster.json').read_text())
        except OSError:
            return False
        self.ports.update(saved['ports'])
        self.replicas, self.standby = saved['replicas'], saved['standby']
        self.rabbits, self.sentinels = saved['rabbits'], saved['sentinels']
        if self.store is None and not saved.get('own_store', True):  # the URI may hold a password: it is in one place only
            self.store = self.path('lorry', 'store').read_text().strip()
        if self.next_port is not None:
            self.next_port = max([self.next_port - 1, *self.ports.values()]) + 1
        return True

    def make_folders(self):
        for part in ('run', 'log', 'lorry'):
            self.path(part).mkdir(parents=True, exist_ok=True)

    def start(self):
        self.check_installed()
        again = self.load()
        running = [p.stem for p in self.path('run').glob('*.pid') if self.pid_of(p.stem)]
        if running:
            raise ClusterError(f'it runs already ({", ".join(sorted(running)[:3])}, …): stop it first')
        taken = [port for port in self.ports.values() if again and answers(port)]
        if taken:
            raise ClusterError(f'port {min(taken)}, where it was, is taken by another program: end that, or choose another --folder '
                               'and --first-port')
        self.make_folders()
        steps = (*self.store_steps(), (f'RabbitMQ, {self.rabbits} node{"s" * (self.rabbits > 1)}', self.start_rabbits),
                 ('Redis' + (', a replica, and sentinels' if self.sentinels else ''), self.start_caches),
                 (f'Lorry, {self.replicas} of each service', self.start_services), ('Nginx', self.start_nginx))
        for what, step in steps:
            began = time.monotonic()
            self.say(f'{what} …')
            try:
                step()
            finally:
                self.save()
            self.say(f'  there after {time.monotonic() - began:.1f} s')

    def store_steps(self):
        if self.store:
            return ()
        return (('PostgreSQL' + (', and a standby that follows each commit' if self.standby else ''), self.start_databases),)

    def save(self):
        self.path('cluster.json').write_text(json.dumps(
            {'ports': self.ports, 'replicas': self.replicas, 'standby': self.standby, 'rabbits': self.rabbits,
             'sentinels': self.sentinels, 'own_store': not self.store}, indent=1) + '\n')

    def order(self):
        """All that may run, the outermost first."""
        names = ['city', 'nginx', *self.lorry_names(), *(f'sentinel{i + 1}' for i in range(self.sentinels)), 'redis2', 'redis',
                 *self.rabbit_names(), 'epmd', 'standby', 'postgres']
        return names

    def stop(self):
        self.load()
        for name in self.order():
            if self.pid_of(name) is None:
                continue
            self.say(f'ending {name}')
            # PostgreSQL: SIGINT ends sessions; SIGTERM would wait for them. Replicas may still hold some.
            self.end(name, signal.SIGINT if name in ('postgres', 'standby') else signal.SIGTERM)
        left = [p.stem for p in self.path('run').glob('*.pid') if self.pid_of(p.stem)]
        if left:
            raise ClusterError('still there: ' + ', '.join(left))

    def start_city(self):
        """As lively as that of `lorry serve --demo`."""
        roads = ['--streets', str(self.streets)] if self.streets else []
        self.spawn('city', [self.lorry, 'simulate', self.url(), '--for', '0', '--speed', '3', '--settle', '5', *roads])

    def status(self):
        if not self.load():
            self.say(f'there is no cluster in {self.folder}')
            return 1
        for name in reversed(self.order()):
            pid = self.pid_of(name)
            port = self.ports.get('http' if name == 'nginx' else name, '-')
            if not pid and port == '-' and name != 'city':
                continue  # a small one has no such part
            self.say(f'{name:15} {"pid " + str(pid) if pid else "is not running":16} port {port}')
        return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('what', choices=['start', 'stop', 'status'])
    parser.add_argument('--folder', help='where all of it lies (default: build/cluster)')
    parser.add_argument('--replicas', type=int, default=2, help='of each service (default: 2)')
    parser.add_argument('--first-port', type=int, default=FIRST_PORT, help=f'the ports begin there (default: {FIRST_PORT})')
    parser.add_argument('--small', action='store_true', help='one of each server behind the services: no standby, no sentinels')
    parser.add_argument('--store', metavar='URI', help='a store of yours, with its database (mongodb://HOST/NAME, …), and no PostgreSQL; '
                        'also from LORRY_CLUSTER_STORE, where a password is safe', default=os.environ.get('LORRY_CLUSTER_STORE'))
    parser.add_argument('--city', action='store_true', help='a simulated city lives on it')
    o = parser.parse_args()
    small = {'standby': False, 'rabbits': 1, 'sentinels': 0} if o.small else {}
    folder = o.folder or home('cluster', make=o.what == 'start' and not o.store)
    cluster = Cluster(folder, replicas=o.replicas, ports=o.first_port, store=o.store, **small,
                      settings=['--registers-per-hour-max', '0', '--driver-approval', 'auto'])
    web, streets = ROOT / 'build/web', ROOT / 'build/streets/large-network.json'
    cluster.web = web if (web / 'index.html').is_file() else None
    cluster.streets = streets if streets.is_file() else None
    try:
        if o.what == 'status':
            return cluster.status()
        if o.what == 'stop':
            cluster.stop()
            return 0
        cluster.start()
        if o.city:
            cluster.start_city()
        app = f'The web app is at {cluster.url()}/\n' if cluster.web else ''
        print(f'\nThe platform is at {cluster.url()}/v1 and https://127.0.0.1:{cluster.port("https")}/v1\n{app}'
              f'State, logs and pids lie in {cluster.folder}; "scripts/{Path(__file__).name} status" lists the ports.\n'
              f'An admin: build/lorry user add --role admin --email you@example.com --name You {" ".join(cluster.store_flags())}\n'
              f'A city:   build/lorry simulate {cluster.url()}\n'
              f'The end:  make cluster-stop')
    except ClusterError as e:
        print(f'cluster: {e}', file=sys.stderr)
        if o.what == 'start':
            print('cluster: what did start still runs; "make cluster-stop" ends it', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
