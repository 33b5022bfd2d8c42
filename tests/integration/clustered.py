"""The scaled shape for the integration tests: what they call a Server is two processes of each service behind Nginx.

PostgreSQL (with LORRY_TEST_STORE=mongodb: a MongoDB, see mongo.py) and RabbitMQ are started once for a test program; each
Server has a database and a virtual host of its own in them, and its own Redis. Everything ends with the program, however
that ends.
"""
import atexit
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
import cluster  # noqa: E402
import mongo  # noqa: E402

ON_MONGODB = os.environ.get('LORRY_TEST_STORE') == 'mongodb'

_lock = threading.Lock()
_servers = None  # the cluster.Cluster of what all lean on
_mongodb = None  # the mongo.Server, if it is that
_count = 0


def missing():
    """Why these tests cannot run here, in words; nothing if they can. What installs from Debian must be there: without it
    they fail."""
    global _mongodb
    if ON_MONGODB and _mongodb is None:
        try:
            _mongodb = mongo.Server()
        except mongo.Missing as e:
            return str(e)
        atexit.register(_mongodb.close)
        print(f'MongoDB: {_mongodb.what}', flush=True)
    return ''


def _end():
    for name in ('rabbit1', 'epmd', *(() if ON_MONGODB else ('postgres',))):
        _servers.end(name, signal.SIGKILL)
    shutil.rmtree(_servers.folder, ignore_errors=True)


def _backends():
    global _servers
    with _lock:
        if _servers is None:
            folder = tempfile.mkdtemp(prefix='lorry-cluster-')
            os.chmod(folder, 0o755)  # PostgreSQL's user goes through it
            _servers = cluster.Cluster(folder, standby=False, rabbits=1, sentinels=0, say=lambda text: None, with_us=True)
            _servers.make_folders()
            atexit.register(_end)
            if not ON_MONGODB:
                _servers.start_databases()
            _servers.start_rabbits()
    return _servers


def server_class(base):
    import lorry  # the module that asks, half made: looked into later only

    class ClusterServer(base):
        """FLAGS are those of every `lorry serve`. What belongs to one process alone (its memory, its folder) has no
        counterpart here."""

        def __init__(self, *flags, **more):
            global _count
            assert not set(more) - {'start'}, f'not in a cluster: {more}'
            servers = _backends()
            with _lock:
                _count += 1
                number = _count
            self.cluster = cluster.Cluster(servers.folder / f's{number}', rabbits=1, sentinels=0, standby=False,
                                           lorry=lorry.BINARY, settings=map(str, flags), behind=servers, number=number,
                                           with_us=True, say=lambda text: None,
                                           store=_mongodb.uri(number) if ON_MONGODB else None)
            self.cluster.make_folders()
            super().__init__(*flags, data=str(self.cluster.path('lorry')), **more)

        def start(self):
            self.cluster.start_caches()
            self.cluster.start_services()
            self.cluster.start_nginx()
            self.port = self.cluster.port('http')
            lorry.until(self.is_ready, 'the cluster is ready', 30 * lorry.SLOW)
            return self

        def log(self):
            text = ''.join(self.cluster.path('log', f'{name}.log').read_text(errors='replace')
                           for name in self.cluster.lorry_names())
            return ''.join(line for line in text.splitlines(True) if line.startswith('{'))  # standard output is in there, too

        def alive(self):
            return all(self.cluster.pid_of(name) for name in self.cluster.lorry_names())

        def rss_kb(self):
            pids = [self.cluster.pid_of(name) for name in self.cluster.lorry_names()]
            return sum(int(re.search(r'VmRSS:\s+(\d+)', Path(f'/proc/{pid}/status').read_text())[1]) for pid in pids)

        def stop(self, timeout_s=30):
            """The worst exit status."""
            for name in self.cluster.lorry_names():
                self.cluster.send(name, signal.SIGTERM)
            return max(abs(self.cluster.children[name].wait(timeout_s * lorry.SLOW)) for name in self.cluster.lorry_names())

        def close(self):
            self.cluster.end('nginx')  # killed, it would leave its workers behind
            for name in [*self.cluster.lorry_names(), 'redis']:
                self.cluster.end(name, signal.SIGKILL)

        def user(self, *args, stdin='', expect=0):
            done = lorry.run('user', *args, *self.cluster.store_flags(), stdin=stdin)
            if expect is not None and done.returncode != expect:
                raise AssertionError(f'lorry user {args}: {done.returncode}\n{done.stdout}{done.stderr}')
            return done

    return ClusterServer
