"""What the integration tests share: the real binary as a process, HTTP and WebSocket on raw sockets.

Nothing here hides the wire: Connection.send() takes any bytes, so hostile requests are written as they are, and
every answer is held against what all answers promise (an X-Request-Id; problem documents that carry it). Only
Python's standard library is used.

A server is started on a free port with a folder of its own and ended by its process id; should the test itself be
killed, the kernel ends the server with it (with the thread that started it, to be exact).
"""
import base64
import concurrent.futures
import ctypes
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BINARY = os.environ.get('LORRY_TEST_BINARY', 'build/lorry')
# Sanitizer builds are many times slower and hold many times the memory.
SLOW = int(os.environ.get('LORRY_TEST_SLOW', '1'))
PASSWORD = 'correct horse 9'
CENTRE = (57.7089, 11.9746)
WAIT_S = 20 * SLOW
UNLIMITED = ('--writes-per-minute-max', '0', '--open-bookings-max', '0')  # for tests that do more than people do

_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


def say(text):
    print(f'{time.strftime("%H:%M:%S")} {text}', flush=True)


def environment(**more):
    """The environment without settings of Lorry that somebody happens to have."""
    env = {k: v for k, v in os.environ.items() if not k.startswith('LORRY_')}
    env.update(more)
    return env


def run(*args, stdin='', env=None, timeout=60):
    """Runs `lorry ARGS` to its end."""
    return subprocess.run([BINARY, *map(str, args)], input=stdin, env=environment(**(env or {})), timeout=timeout * SLOW,
                          capture_output=True, text=True, check=False)


def until(condition, what, timeout_s=WAIT_S, every_s=0.05):
    """Polls until CONDITION() is true and returns what it returned."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {timeout_s} s: {what}')
        time.sleep(every_s)


# ---- the process ----

def die_with_parent(limits):
    """In a child, before it becomes the program: the kernel is to end it with us. LIMITS: setrlimit."""
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    for which, value in limits.items():
        resource.setrlimit(which, (value, resource.getrlimit(which)[1]))


class Server:
    """`lorry serve` on a folder. FLAGS are for every start; after stop() or kill(), start() goes on with the same."""

    def __init__(self, *flags, data=None, port=0, env=None, limits=None, start=True):
        self.flags = [str(f) for f in flags]
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix='lorry-test-')
        self.port = port
        self.env = env or {}
        self.limits = limits or {}
        self.binary = None   # None: that of all
        self.process = None
        self.ready_s = None  # how long the last start took
        self.said = []       # lines of standard output
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            sys.stderr.write(f'---- the end of the server\'s log\n{self.log()[-3000:]}\n----\n')
        self.close()

    @property
    def log_path(self):
        return os.path.join(self.data, 'test-stderr.log')

    def log(self):
        try:
            with open(self.log_path, encoding='utf-8', errors='replace') as log:
                return log.read()
        except FileNotFoundError:
            return ''

    def spawn(self):
        with open(self.log_path, 'ab') as log:
            self.process = subprocess.Popen(
                [self.binary or BINARY, 'serve', '--data', self.data, '--listen', f'127.0.0.1:{self.port}', *self.flags],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(**self.env),
                preexec_fn=lambda: die_with_parent(self.limits))
        return self.process

    def start(self):
        begun = time.monotonic()
        process = self.spawn()
        port = []
        ended = threading.Event()

        def read():
            for line in process.stdout:
                line = line.decode()
                self.said.append(line)
                found = re.search(r'http://127\.0\.0\.1:(\d+)/v1', line)
                if found:
                    port.append(int(found[1]))
            process.stdout.close()
            ended.set()

        threading.Thread(target=read, daemon=True).start()
        until(lambda: port or ended.is_set(), 'the server says where it listens', 30 * SLOW, 0.002)
        if not port:
            process.wait()
            raise AssertionError(f'the server did not start:\n{"".join(self.said)}{self.log()[-3000:]}')
        self.port = port[0]
        until(self.is_ready, 'the server is ready', 30 * SLOW, 0.002)
        self.ready_s = time.monotonic() - begun
        return self

    def is_ready(self):
        try:
            with Connection(self, timeout=5) as c:
                return c.request('GET', '/readyz').status == 200
        except OSError:
            return False

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s=30):
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout_s * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f'still there {timeout_s} s after SIGTERM') from None

    def close(self):
        if self.alive():
            self.kill()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def rss_kb(self):
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            return int(re.search(r'VmRSS:\s+(\d+)', status.read())[1])

    def user(self, *args, stdin='', expect=0):
        """`lorry user ARGS` beside the server."""
        done = run('user', *args, '--data', self.data, stdin=stdin)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f'lorry user {args}: {done.returncode}\n{done.stdout}{done.stderr}')
        return done

    # People.

    def api(self, token=None):
        return Api(self, token)

    def register(self, role='customer', name='Asha Rao', email=None, **more):
        api = Api(self)
        body = {'email': email or f'{role}{next(_numbers)}@example.com', 'password': PASSWORD, 'name': name, 'role': role,
                **more}
        return api.signed_in(api.post('/v1/auth/register', body, expect=201).json)

    def login(self, email, password=PASSWORD):
        api = Api(self)
        return api.signed_in(api.post('/v1/auth/login', {'email': email, 'password': password}, expect=200).json)

    def staff(self, role):
        email = f'{role}{next(_numbers)}@example.com'
        self.user('add', '--role', role, '--email', email, '--name', f'The {role}', stdin=PASSWORD + '\n')
        return self.login(email)

    def driver(self, at=CENTRE, vehicle='van', name='Ola Berg', admin=None, **more):
        """A driver on duty at a place; ADMIN approves him where the server wants that."""
        driver = self.register('driver', name=name, phone='+46701112233', **more)
        driver.driver_id = 'drv' + driver.user['id'][3:]
        driver.put('/v1/driver', {'vehicle': {'class': vehicle, 'plate': 'ABC123', 'capacity_kg': 800}}, expect=200)
        if admin is not None:
            admin.patch(f'/v1/drivers/{driver.driver_id}', {'status': 'approved'}, expect=200)
        driver.post('/v1/driver/duty', {'duty': 'on'}, expect=200)
        driver.fix(at)
        return driver


# With LORRY_TEST_SHAPE=cluster the same tests run against two processes of each service, on real servers, behind Nginx.
CLUSTERED = os.environ.get('LORRY_TEST_SHAPE') == 'cluster'
if CLUSTERED:
    import clustered
    Server = clustered.server_class(Server)


def everybody_knows():
    """Where drivers are is told from process to process: what one has answered the others know a moment later."""
    if CLUSTERED:
        time.sleep(0.2)


# ---- HTTP ----

class Answer:
    def __init__(self, method, status, headers, body):
        self.method, self.status, self.headers, self.body = method, status, headers, body

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        """The problem's type, without the path."""
        return self.json['type'].removeprefix('/problems/')

    def __repr__(self):
        return f'<{self.method} → {self.status} {self.body[:600]!r}>'


def check_answer(a, request_id=None):
    """What every answer promises, whatever was asked."""
    theirs = a.header('x-request-id')
    assert theirs, f'no X-Request-Id: {a}'
    assert request_id is None or theirs == request_id, f'another X-Request-Id: {theirs} for {request_id}'
    if a.status == 401:
        assert a.header('www-authenticate'), f'no WWW-Authenticate: {a}'
    if a.status in (429, 503):
        assert int(a.header('retry-after')) >= 1, f'no Retry-After: {a}'
    if a.status < 400 or a.method == 'HEAD' or a.header('content-type') != 'application/problem+json':
        # /readyz speaks to load balancers. A store that answers late, on a busy machine, is not away for good.
        unready = a.status == 503 and a.body.startswith((b'{"status":"draining"', b'{"status":"waiting"'))
        assert a.status < 400 or a.method == 'HEAD' or unready, f'an error without a problem document: {a}'
        return a
    doc = a.json
    for member in ('type', 'title', 'detail'):
        assert isinstance(doc.get(member), str) and doc[member], f'no {member}: {a}'
    assert re.fullmatch(r'/problems/[a-z0-9-]+', doc['type']), a
    assert doc['status'] == a.status and doc['request_id'] == theirs, a
    for error in doc.get('errors', []):
        assert re.fullmatch(r'(/[^/]*)*', error['pointer']) and error['detail'], a
    return a


class Connection:
    """A TCP connection that speaks as badly as it is told to."""

    def __init__(self, server, timeout=None, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout or WAIT_S)
        self.sock.connect(('127.0.0.1', server.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if getattr(server, 'tls', None) is not None:  # what stands in front of servers may speak TLS
            self.sock = server.tls.wrap_socket(self.sock, server_hostname='lorry.test')
        self.rest = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def __del__(self):
        if hasattr(self, 'sock'):  # else it never came about
            self.close()

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise ConnectionResetError('closed by the server')
        self.rest += got

    def read_until(self, mark):
        while mark not in self.rest:
            self.more()
        head, self.rest = self.rest.split(mark, 1)
        return head

    def read_exactly(self, count):
        while len(self.rest) < count:
            self.more()
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def closed(self, timeout_s=WAIT_S):
        """Waits for the other end to close; true if nothing else came before that."""
        self.sock.settimeout(timeout_s)
        try:
            return self.rest == b'' and self.sock.recv(1) == b''
        except ConnectionResetError:
            return self.rest == b''

    def answer(self, method='GET', interim=()):
        """Reads one answer. INTERIM: takes the statuses of 1xx answers on the way."""
        while True:
            lines = self.read_until(b'\r\n\r\n').decode('latin-1').split('\r\n')
            status = int(re.fullmatch(r'HTTP/1\.1 (\d{3}) .*', lines[0])[1])
            headers = [(k, v.strip()) for k, _, v in (line.partition(':') for line in lines[1:])]
            if status >= 200 or status == 101:
                break
            interim.append(status)
        a = Answer(method, status, headers, b'')
        if method != 'HEAD' and status not in (101, 204, 304):
            assert a.header('content-length') is not None, f'no Content-Length: {a}'
            a.body = self.read_exactly(int(a.header('content-length')))
        return a

    def request(self, method, path, body=None, headers=()):
        """BODY: bytes as they are, or what is to be JSON."""
        self.send(request_bytes(method, path, body, headers))
        sent = dict((k.lower(), v) for k, v in headers).get('x-request-id')
        return check_answer(self.answer(method), sent)


def request_bytes(method, path, body=None, headers=()):
    lines = [f'{method} {path} HTTP/1.1', 'Host: lorry.test']
    names = {k.lower() for k, _ in headers}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
    if body is not None:
        if 'content-type' not in names:
            lines.append('Content-Type: application/json')
        if 'content-length' not in names and 'transfer-encoding' not in names:
            lines.append(f'Content-Length: {len(body)}')
    lines += [f'{k}: {v}' for k, v in headers]
    return '\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + (body or b'')


class Api:
    """Somebody who uses the API, on one connection (for each thread) that is opened again when the server has closed it."""

    def __init__(self, server, token=None):
        self.server, self.token = server, token
        self.user = self.refresh_token = self.driver_id = None
        self.threads = threading.local()

    def signed_in(self, tokens):
        self.user, self.token, self.refresh_token = tokens['user'], tokens['access_token'], tokens['refresh_token']
        return self

    def close(self):
        if getattr(self.threads, 'connection', None) is not None:
            self.threads.connection.close()
            self.threads.connection = None

    def call(self, method, path, body=None, expect=None, headers=(), key=None, if_match=None):
        headers = list(headers)
        if self.token is not None:
            headers.append(('Authorization', f'Bearer {self.token}'))
        if key is not None:
            headers.append(('Idempotency-Key', key))
        if if_match is not None:
            headers.append(('If-Match', if_match))
        while True:
            connection = getattr(self.threads, 'connection', None)
            fresh = connection is None
            try:
                connection = self.threads.connection = connection or Connection(self.server)
                a = connection.request(method, path, body, headers)
                break
            except ConnectionError:
                self.close()
                # A connection that was idle may have been closed meanwhile; reads may simply be sent again.
                if fresh or method not in ('GET', 'HEAD'):
                    raise
            except socket.timeout:
                self.close()
                raise
        if (a.header('connection') or '').lower() == 'close':
            self.close()
        expected = expect if isinstance(expect, tuple) else (expect,)
        assert expect is None or a.status in expected, f'{method} {path}: expected {expect}, got {a}'
        return a

    def get(self, path, **more):
        return self.call('GET', path, **more)

    def post(self, path, body=None, **more):
        return self.call('POST', path, body, **more)

    def put(self, path, body=None, **more):
        return self.call('PUT', path, body, **more)

    def delete(self, path, body=None, **more):
        return self.call('DELETE', path, body, **more)

    def patch(self, path, body=None, **more):
        return self.call('PATCH', path, body, **more)

    # What most tests do on the way to what they are about.

    def problem(self, status, kind, method, path, body=None, **more):
        a = self.call(method, path, body, expect=status, **more)
        assert a.type == kind, f'{method} {path}: expected {kind}, got {a}'
        return a

    def pages(self, path, limit):
        """All items of a list, page by page; no page may be longer than asked, none may come twice."""
        items, cursor, join = [], None, '&' if '?' in path else '?'
        while True:
            page = self.get(f'{path}{join}limit={limit}' + (f'&cursor={cursor}' if cursor else ''), expect=200).json
            assert len(page['items']) <= limit, page
            items += page['items']
            cursor = page['next_cursor']
            if cursor is None:
                return items

    def fix(self, at=CENTRE, when=None, **more):
        fix = {'at': rfc3339(when or time.time()), 'lat': at[0], 'lng': at[1], **more}
        return self.post('/v1/driver/locations', {'fixes': [fix]}, expect=200).json

    def quote(self, *stops, vehicle='van'):
        stops = stops or (CENTRE, (57.6969, 11.9865))
        body = {'stops': [{'lat': lat, 'lng': lng} for lat, lng in stops], 'vehicle': vehicle}
        return self.post('/v1/quotes', body, expect=201).json['quotes'][0]

    def book(self, *stops, vehicle='van', key=None):
        quote = self.quote(*stops, vehicle=vehicle)
        return self.post('/v1/bookings', {'quote_id': quote['id'], 'payment': 'cash'}, key=key, expect=201).json

    def booking(self, booking_id):
        return self.get(f'/v1/bookings/{booking_id}', expect=200).json

    def offer(self, booking_id, timeout_s=WAIT_S):
        """Waits for this driver's offer of a booking."""
        def look():
            offers = self.get('/v1/driver/offers', expect=200).json['items']
            return next((o for o in offers if o['booking_id'] == booking_id), None)
        return until(look, f'an offer of {booking_id}', timeout_s)

    def accept(self, booking_id):
        offer = self.offer(booking_id)
        return self.post(f'/v1/bookings/{booking_id}/accept', {'offer_id': offer['id']}, expect=200).json

    def status(self, booking_id, *statuses, **more):
        for status in statuses:
            a = self.post(f'/v1/bookings/{booking_id}/status', {'status': status, **more}, expect=200)
        return a.json

    def deliver(self, booking_id):
        """The rest of the way of an assigned booking with two stops."""
        return self.status(booking_id, 'arrived_pickup', 'picked_up', 'arrived_dropoff', 'delivered')


def rfc3339(seconds):
    whole = int(seconds)
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole)) + f'.{int((seconds - whole) * 1e6):06d}Z'


# ---- WebSocket ----

TEXT, BINARY_FRAME, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    """The server has closed the socket."""

    def __init__(self, code, reason):
        super().__init__(f'closed with {code} {reason}')
        self.code, self.reason = code, reason


class WebSocket:
    def __init__(self, server, token=None, protocols=None, timeout=None, headers=(), rcvbuf=None):
        """TOKEN: sent as a subprotocol. PROTOCOLS: the header's value instead."""
        self.connection = Connection(server, timeout, rcvbuf)
        if protocols is None:
            protocols = 'lorry.v1' if token is None else f'lorry.v1, bearer.{token}'
        key = base64.b64encode(os.urandom(16)).decode()
        head = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
                ('Sec-WebSocket-Key', key), *headers]
        if protocols:
            head.append(('Sec-WebSocket-Protocol', protocols))
        self.connection.send(request_bytes('GET', '/v1/ws', None, head))
        self.handshake = self.connection.answer()
        if self.handshake.status != 101:
            check_answer(self.handshake)
            self.close()
            raise Refused(self.handshake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.close()

    def send_frame(self, payload, opcode=TEXT, fin=True, masked=True, rsv=0):
        head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        elif len(payload) < 65536:
            head += bytes([bit | 126]) + struct.pack('>H', len(payload))
        else:
            head += bytes([bit | 127]) + struct.pack('>Q', len(payload))
        if masked:
            mask = os.urandom(4)
            whole = mask * (len(payload) // 4 + 1)
            number = int.from_bytes(payload, 'big') ^ int.from_bytes(whole[:len(payload)], 'big')
            payload, head = number.to_bytes(len(payload), 'big'), head + mask
        self.connection.send(head + payload)

    def send(self, message):
        self.send_frame(json.dumps(message).encode())

    def read_frame(self):
        first, second = self.connection.read_exactly(2)
        length = second & 0x7f
        assert first & 0x70 == 0 and second & 0x80 == 0, 'reserved bits, or a masked frame from the server'
        if length == 126:
            length = struct.unpack('>H', self.connection.read_exactly(2))[0]
        elif length == 127:
            length = struct.unpack('>Q', self.connection.read_exactly(8))[0]
        assert first & 0x80, 'a fragment from the server'
        return first & 0x0f, self.connection.read_exactly(length)

    def receive(self, timeout_s=WAIT_S):
        """The next message. Raises Closed with the server's code, or socket.timeout."""
        self.connection.sock.settimeout(timeout_s)
        while True:
            opcode, payload = self.read_frame()
            if opcode == PING:
                self.send_frame(payload, PONG)
            elif opcode == CLOSE:
                code = struct.unpack('>H', payload[:2])[0] if payload else 1005
                raise Closed(code, payload[2:].decode())
            elif opcode == TEXT:
                return json.loads(payload)

    def expect(self, kind, where=lambda m: True, timeout_s=WAIT_S, passed=None):
        """Reads on to the first message of KIND for which WHERE holds; PASSED takes those before it."""
        end = time.monotonic() + timeout_s
        while True:
            message = self.receive(max(0.01, end - time.monotonic()))
            if message['type'] == kind and where(message):
                return message
            if passed is not None:
                passed.append(message)

    def expect_closed(self, code, timeout_s=WAIT_S):
        """Reads on to the close frame."""
        end = time.monotonic() + timeout_s
        try:
            while True:
                self.receive(max(0.01, end - time.monotonic()))
        except Closed as closed:
            assert closed.code == code, f'closed with {closed.code}, not {code}'
            return closed

    def drain(self, quiet_s=0.3):
        """Everything that comes until nothing has come for a while."""
        messages = []
        try:
            while True:
                messages.append(self.receive(quiet_s))
        except socket.timeout:
            return messages


class Refused(Exception):
    """The handshake was answered with a problem."""

    def __init__(self, answer):
        super().__init__(repr(answer))
        self.answer = answer


# ---- shapes ----

class Maybe:
    """null, or SHAPE."""

    def __init__(self, shape):
        self.shape = shape


class Id:
    def __init__(self, prefix):
        self.prefix = prefix


TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z')
NUMBER = (int, float)


def check(value, shape, at=''):
    """Holds VALUE against SHAPE: a type, a tuple of types, a set of words, a regular expression, an Id, a Maybe, a list
    of one shape, or an object of them. What an object has beyond its shape is allowed."""
    def wrong(want):
        raise AssertionError(f'{at or "the value"} should be {want}, and is {value!r}')

    if isinstance(shape, Maybe):
        if value is not None:
            check(value, shape.shape, at)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            wrong('an object')
        for name, member in shape.items():
            if name not in value:
                raise AssertionError(f'{at}/{name} is missing in {value!r}')
            check(value[name], member, f'{at}/{name}')
    elif isinstance(shape, list):
        if not isinstance(value, list):
            wrong('a list')
        for i, item in enumerate(value):
            check(item, shape[0], f'{at}/{i}')
    elif isinstance(shape, Id):
        if not isinstance(value, str) or not re.fullmatch(shape.prefix + '_[0-7][0-9A-HJKMNP-TV-Z]{25}', value):
            wrong(f'an id {shape.prefix}_…')
    elif isinstance(shape, re.Pattern):
        if not isinstance(value, str) or not shape.fullmatch(value):
            wrong(f'like {shape.pattern}')
    elif isinstance(shape, set):
        if value not in shape:
            wrong(f'one of {sorted(shape)}')
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        wrong(shape)
    return value


# ---- running tests ----

class _Result(unittest.TestResult):
    """Of one test, so that several can run at once."""

    def __init__(self):
        super().__init__()
        self.begun = time.monotonic()

    def line(self, test):
        for kind, found in (('FAILED', self.failures + self.errors), ('skipped', self.skipped)):
            for _, text in found:
                return f'{kind:8}{self.name(test)}\n{text}'
        return f'ok      {self.name(test)}  {time.monotonic() - self.begun:.1f} s'

    @staticmethod
    def name(test):
        return '.'.join(test.id().split('.')[-2:])


def _run_one(test):
    result = _Result()
    test.run(result)
    say(result.line(test))
    return result


def _flat(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from _flat(each)
        else:
            yield each


def main(at_once=1):
    """Runs the tests of the program, AT_ONCE of them together: most of a test's time is waiting for the server's clocks.
    Arguments: the binary, then perhaps names of tests. Exit status 77 tells Meson that all of them were skipped."""
    global BINARY
    module, names = sys.modules['__main__'], sys.argv[1:]
    if names and os.access(names[0], os.X_OK):
        BINARY = os.path.abspath(names.pop(0))
    tests = list(_flat(unittest.defaultTestLoader.loadTestsFromModule(module)))
    tests = [t for t in tests if not names or any(name in t.id() for name in names)]
    why_not = clustered.missing() if CLUSTERED else ''
    if why_not:
        print(f'skipped: {why_not}')
        sys.exit(77)
    begun = time.monotonic()
    getattr(module, 'setUpModule', lambda: None)()
    try:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            results = list(pool.map(_run_one, tests))
    finally:
        getattr(module, 'tearDownModule', lambda: None)()
    failed = sum(not r.wasSuccessful() for r in results)
    skipped = sum(bool(r.skipped) for r in results)
    print(f'{len(tests) - failed - skipped} passed, {failed} failed, {skipped} skipped, {time.monotonic() - begun:.1f} s')
    sys.exit(1 if failed or not tests else 77 if skipped == len(tests) else 0)
