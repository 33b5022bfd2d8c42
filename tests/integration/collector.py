"""A collector of traces for tests: takes OTLP over HTTP in its JSON form, as strictly as the protocol writes it.

https://opentelemetry.io/docs/specs/otlp/ : ids are hexadecimal, 64-bit numbers are decimal strings, enumerations are
numbers, names are lowerCamelCase. A real collector ignores members that it does not know; this one refuses them, since
they would be misspelled ones. What it refuses it answers with 400 and keeps in `faults`.
"""
import http.server
import json
import re
import threading
import time

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
ERROR = 2


class Fault(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Fault(what)


def members(value, where, required, optional=()):
    need(isinstance(value, dict), f'{where}: no object')
    need(set(required) <= set(value) <= {*required, *optional}, f'{where}: {sorted(value)}')


def decimal(value, where):
    need(isinstance(value, str) and re.fullmatch(r'-?(0|[1-9]\d*)', value), f'{where}: {value!r} is no decimal string')
    need(-2**63 <= int(value) < 2**63, f'{where}: {value}')
    return int(value)


def attributes(value, where):
    need(isinstance(value, list), f'{where}: no list')
    out = {}
    for each in value:
        members(each, where, ('key', 'value'))
        need(isinstance(each['key'], str) and each['key'] and each['key'] not in out, f'{where}: {each["key"]!r}')
        need(len(each['value']) == 1, f'{where}: {each}')
        (kind, what), = each['value'].items()
        need(kind in ('stringValue', 'intValue'), f'{where}: {kind}')
        if kind == 'stringValue':
            need(isinstance(what, str), f'{where}: {what!r}')
        out[each['key']] = decimal(what, where) if kind == 'intValue' else what
    return out


def identity(value, digits, where):
    need(isinstance(value, str) and re.fullmatch(f'[0-9a-f]{{{digits}}}', value) and set(value) != {'0'}, f'{where}: {value!r}')
    return value


class Span:
    """One of them, with what its resource says."""

    def __init__(self, value, resource):
        members(value, 'span', ('traceId', 'spanId', 'name', 'kind', 'startTimeUnixNano', 'endTimeUnixNano', 'attributes'),
                ('parentSpanId', 'status'))
        self.trace = identity(value['traceId'], 32, 'traceId')
        self.id = identity(value['spanId'], 16, 'spanId')
        self.parent = identity(value['parentSpanId'], 16, 'parentSpanId') if 'parentSpanId' in value else None
        self.name, self.kind = value['name'], value['kind']
        need(isinstance(self.name, str) and self.name, f'name {self.name!r}')
        need(type(self.kind) is int and self.kind in range(1, 6), f'kind {self.kind!r}')
        self.start = decimal(value['startTimeUnixNano'], 'start')
        self.end = decimal(value['endTimeUnixNano'], 'end')
        need(abs(self.start / 1e9 - time.time()) < 3600 and self.end >= self.start, f'{self.start}..{self.end}')
        self.attributes = attributes(value['attributes'], self.name)
        status = value.get('status', {})
        members(status, 'status', (), ('code', 'message'))
        need(status.get('code', 0) in (0, 1, 2), f'status {status}')
        self.failed = status.get('code') == ERROR
        self.resource = resource
        self.service = resource['service.name']

    def __repr__(self):
        return f'{self.service}: {self.name} {self.id} below {self.parent}'


def spans_of(body):
    """Every span of a request's body."""
    root = json.loads(body)
    members(root, 'request', ('resourceSpans',))
    out = []
    for each in root['resourceSpans']:
        members(each, 'resourceSpans', ('resource', 'scopeSpans'))
        members(each['resource'], 'resource', ('attributes',))
        resource = attributes(each['resource']['attributes'], 'resource')
        need(resource.get('service.name') and resource.get('service.instance.id'), f'resource {resource}')
        for scoped in each['scopeSpans']:
            members(scoped, 'scopeSpans', ('scope', 'spans'))
            members(scoped['scope'], 'scope', ('name', 'version'))
            out += [Span(span, resource) for span in scoped['spans']]
    return out


class Collector:
    """On a free port of 127.0.0.1. ANSWER: the status it gives, or 'hang'; it may be set at any time."""

    def __init__(self, port=0):
        collector = self
        self.answer, self.retry_after = 200, None
        self.spans, self.faults, self.requests = [], [], 0
        self.released = threading.Event()
        self._lock = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                status = collector.take(self, body)
                self.send_response(status)
                if status in (429, 503) and collector.retry_after is not None:
                    self.send_header('Retry-After', str(collector.retry_after))
                self.send_header('Content-Type', 'application/json')
                self.send_header('Content-Length', '2')
                self.end_headers()
                self.wfile.write(b'{}')

            def log_message(self, *_):
                pass

        class Listener(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # whoever was kept waiting has hung up

        self.server = Listener(('127.0.0.1', port), Handler)
        self.port = self.server.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}'
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, request, body):
        with self._lock:
            self.requests += 1
        if self.answer == 'hang':
            self.released.wait(60)
            return 503
        if self.answer != 200:
            return self.answer
        try:
            need(request.path == '/v1/traces', f'path {request.path}')
            need(request.headers['Content-Type'] == 'application/json', f'type {request.headers["Content-Type"]}')
            spans = spans_of(body)
        except (Fault, ValueError, KeyError, TypeError) as e:
            self.faults.append(f'{type(e).__name__}: {e}')
            return 400
        with self._lock:
            self.spans += spans
        return 200

    def of(self, trace):
        with self._lock:
            return [span for span in self.spans if span.trace == trace]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
