#!/usr/bin/env python3
"""As much of S3 as blobs need, written from Amazon's description of the protocol and of Signature 4: PUT, GET, HEAD and
DELETE of objects, each request's signature reckoned anew and refused if it differs. Runs the program that is its
argument with LORRY_TEST_S3 set to its address, and ends with its exit status.

Usage: s3_server.py PROGRAM [ARGUMENT]...
"""
import hashlib
import hmac
import os
import re
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote

KEY, SECRET, REGION = 'test', 'sëcret/+= x', 'eu-north-1'
objects, lock = {}, threading.Lock()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def mac(key, text):
    return hmac.digest(key, text.encode(), 'sha256')


def signature(handler, body, field):
    """The signature that the request should have."""
    names = field['SignedHeaders'].split(';')
    headers = ''.join(f'{n}:{" ".join(handler.headers[n].split())}\n' for n in names)
    path, _, query = handler.path.partition('?')
    payload = handler.headers['x-amz-content-sha256']
    if payload != sha(body):
        return 'the payload is another'
    canonical = '\n'.join([handler.command, quote(unquote(path)), query, headers, field['SignedHeaders'], payload])
    when = handler.headers['x-amz-date']
    scope = f'{when[:8]}/{REGION}/s3/aws4_request'
    if field['Credential'] != f'{KEY}/{scope}' or not {'host', 'x-amz-content-sha256', 'x-amz-date'} <= set(names):
        return 'other credentials'
    key = mac(mac(mac(mac(b'AWS4' + SECRET.encode(), when[:8]), REGION), 's3'), 'aws4_request')
    return mac(key, f'AWS4-HMAC-SHA256\n{when}\n{scope}\n{sha(canonical.encode())}').hex()


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self, status, body=b'', **headers):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        field = dict(re.findall(r'(\w+)=([^, ]+)', self.headers.get('Authorization', '')))
        if not hmac.compare_digest(field.get('Signature', ''), signature(self, body, field)):
            self.answer(403, b'<Error><Code>SignatureDoesNotMatch</Code></Error>')
            return
        _, bucket, name = self.path.split('/', 2)
        with lock:
            self.work(bucket, name, body)

    def work(self, bucket, name, body):
        if bucket == 'ageing':
            objects[name] = (objects[name][0], time.time() - 7200)
            self.answer(200)
        elif bucket != 'bucket':
            self.answer(404, b'<Error><Code>NoSuchBucket</Code></Error>')
        elif self.command == 'PUT':
            objects[name] = (body, time.time())
            self.answer(200, ETag=f'"{hashlib.md5(body).hexdigest()}"')
        elif self.command == 'DELETE':
            objects.pop(name, None)
            self.answer(204)
        elif name not in objects:
            self.answer(404, b'<Error><Code>NoSuchKey</Code></Error>')
        else:
            self.answer(200, objects[name][0], Last_Modified=formatdate(objects[name][1], usegmt=True))

    do_GET = do_HEAD = do_PUT = do_DELETE = handle_any

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f's3+http://{KEY}:{quote(SECRET, safe="")}@127.0.0.1:{server.server_address[1]}/bucket/some/files?region={REGION}'
    status = subprocess.run(sys.argv[1:], env={**os.environ, 'LORRY_TEST_S3': url}).returncode
    server.shutdown()
    return status


if __name__ == '__main__':
    sys.exit(main())
