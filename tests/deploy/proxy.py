"""A real Nginx with the configuration of deploy/nginx, on free ports, with a certificate of its own; and an upstream that
shows what Nginx sends."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests/integration'))

import lorry  # noqa: E402
from lorry import until  # noqa: E402

RENDER = ROOT / 'deploy/nginx/render.sh'
NGINX = shutil.which('nginx') or '/usr/sbin/nginx'
LIMITS_OFF = {'LORRY_ADDRESS_RATE': '100000r/s', 'LORRY_AUTH_RATE': '100000r/s', 'LORRY_ADDRESS_BURST': '10000',
              'LORRY_AUTH_BURST': '10000', 'LORRY_ADDRESS_CONNECTIONS': '10000'}


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def render(settings):
    env = {'PATH': f'{os.environ["PATH"]}:/usr/sbin', **settings}
    return subprocess.run([str(RENDER)], env=env, capture_output=True, text=True, check=False, timeout=30)


def make_certificate(folder):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                    '-subj', '/CN=lorry.test', '-addext', 'subjectAltName=DNS:lorry.test', '-keyout', f'{folder}/key.pem',
                    '-out', f'{folder}/cert.pem'], check=True, capture_output=True, timeout=60)


def end_with_parent():
    """In a child: SIGTERM when we end, so that Nginx takes its workers along."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def retiring(pid):
    try:
        return b'shutting down' in Path(f'/proc/{pid}/cmdline').read_bytes()
    except FileNotFoundError:
        return True


class Nginx:
    """SERVERS: {'auth': [server, …], …} or {'all': [server]}; each has a port. May be given to lorry.Api as a server."""

    def __init__(self, servers, **settings):
        self.folder = Path(tempfile.mkdtemp(prefix='lorry-nginx-'))
        self.folder.chmod(0o755)
        make_certificate(self.folder)
        self.web = self.folder / 'web'
        self.port, self.http_port = free_port(), free_port()
        self.tls = ssl.create_default_context(cafile=self.folder / 'cert.pem')
        self.log_path = self.folder / 'access.log'
        self.settings = {
            'LORRY_TLS_CERTIFICATE': f'{self.folder}/cert.pem', 'LORRY_TLS_KEY': f'{self.folder}/key.pem',
            'LORRY_HTTP_LISTEN': f'127.0.0.1:{self.http_port}', 'LORRY_HTTPS_LISTEN': f'127.0.0.1:{self.port}',
            'LORRY_NGINX_RUN': str(self.folder), 'LORRY_NGINX_ACCESS_LOG': str(self.log_path), 'LORRY_WEB': str(self.web),
            **LIMITS_OFF, **settings}
        self.settings = {name: value for name, value in self.settings.items() if value is not None}
        self.process = None
        try:
            self.configure(servers)
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            sys.stderr.write(f'---- Nginx said\n{self.errors()[-3000:]}\n----\n')
        self.close()

    def errors(self):
        return (self.folder / 'error.log').read_text(errors='replace')

    def configure(self, servers):
        names = {('LORRY_SERVERS' if name == 'all' else f'LORRY_{name.upper()}'):
                 ' '.join(f'127.0.0.1:{s.port}' for s in some) for name, some in servers.items()}
        done = render({**self.settings, **names})
        assert done.returncode == 0, done.stderr
        (self.folder / 'nginx.conf').write_text(done.stdout)

    def command(self, *more):
        return [NGINX, '-p', str(self.folder), '-c', f'{self.folder}/nginx.conf', '-e', f'{self.folder}/error.log', *more]

    def test(self):
        return subprocess.run(self.command('-t', '-q'), capture_output=True, text=True, check=False, timeout=30)

    def start(self):
        with open(self.folder / 'error.log', 'ab') as log:
            self.process = subprocess.Popen(self.command('-g', 'daemon off;'), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=end_with_parent)
        until(self.listens, 'Nginx listens', 20 * lorry.SLOW)

    def listens(self):
        assert self.process.poll() is None, f'Nginx has ended:\n{self.errors()}'
        with socket.socket() as s:
            return s.connect_ex(('127.0.0.1', self.port)) == 0

    def workers(self):
        """The pids of the worker processes."""
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children', encoding='ascii') as f:
            return {int(pid) for pid in f.read().split()}

    def reload(self):
        """As `nginx -s reload`; returns when the workers with the old configuration take no more connections."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.workers() - before and all(map(retiring, before)), 'new workers instead of the old', 20 * lorry.SLOW)

    def log(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines()] if self.log_path.exists() else []

    def logged(self, request_id):
        """The line of the access log of a request."""
        return until(lambda: next((e for e in self.log() if e['request_id'] == request_id), None), f'{request_id} is logged')

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Witness:
    """An upstream that keeps what it was sent and answers 204, or, with HANG_UP, closes once it has a whole request."""

    def __init__(self, hang_up=False):
        self.hang_up = hang_up
        self.requests = []  # (method, path, {header: [values]})
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        rest = b''
        with connection:
            while True:
                while b'\r\n\r\n' not in rest:
                    got = connection.recv(65536)
                    if not got:
                        return
                    rest += got
                head, rest = rest.split(b'\r\n\r\n', 1)
                lines = head.decode('latin-1').split('\r\n')
                headers = {}
                for line in lines[1:]:
                    name, _, value = line.partition(':')
                    headers.setdefault(name.lower(), []).append(value.strip())
                length = int(headers.get('content-length', ['0'])[0])
                while len(rest) < length:
                    rest += connection.recv(65536)
                rest = rest[length:]
                method, path = re.fullmatch(r'(\S+) (\S+) HTTP/1\.1', lines[0]).groups()
                self.requests.append((method, path, headers))
                if self.hang_up:
                    return
                connection.sendall(b'HTTP/1.1 204 No Content\r\n'
                                   b'X-Request-Id: ' + headers['x-request-id'][0].encode() + b'\r\n\r\n')

    def close(self):
        self.listener.close()
