"""Looks at every answer of a running server: the status must be documented, the body of its shape with no member beyond it, the
type of a problem and the ETag as the document says."""
from pathlib import Path

import surface

ROOT = Path(__file__).resolve().parent.parent.parent


class Witness:
    """Looks at every answer."""

    def __init__(self, doc):
        self.doc = surface.strict(doc)
        self.operations = surface.operations(self.doc)
        self.seen = set()  # (operationId, status)
        self.validators = {}
        self.messages = surface.strict(surface.merged(surface.load(ROOT / 'api/asyncapi.yaml'), doc))
        self.frames = surface.messages_of(self.messages, 'fromServer')
        self.seen_frames = set()

    def look_at_frame(self, frame):
        assert frame['type'] in self.frames, f'a frame that is not documented: {frame}'
        for fault in surface.faults(self.messages, self.frames[frame['type']]['payload'], frame):
            raise AssertionError(f'frame {frame["type"]}: {fault}\n{frame}')
        self.seen_frames.add(frame['type'])

    def operation(self, method, path):
        """The operation of a request; one with a fixed path before one with parameters."""
        steps = path.partition('?')[0].split('/')
        best = None
        for (verb, pattern), op in self.operations.items():
            parts = pattern.split('/')
            if verb == method and len(parts) == len(steps) and all(p[:1] == '{' or p == s for p, s in zip(parts, steps)):
                if best is None or '{' not in pattern:
                    best = op
        return best

    def look(self, method, path, a):
        op = self.operation(method, path)
        if op is None:
            assert a.status in (404, 405), f'{method} {path} is not documented and answered {a}'
            return
        for fault in self.faults(op, a):
            raise AssertionError(f'{method} {path} ({op["operationId"]}): {fault}\n{a}')
        self.seen.add((op['operationId'], a.status))

    def faults(self, op, a):
        status = str(a.status)
        key = status if status in op['responses'] else 'default'
        if key == 'default' and a.status < 400:
            yield f'status {status} is not documented'
            return
        response = surface.follow(self.doc, op['responses'][key])
        if ('ETag' in response.get('headers', {})) != (a.header('etag') is not None):
            yield f'status {status}: ETag is {a.header("etag")}, and documented: {"ETag" in response.get("headers", {})}'
        if a.header('retry-after') is not None and 'Retry-After' not in response.get('headers', {}):
            yield f'status {status}: Retry-After is not documented'
        yield from self.body_faults(op, key, response, a)

    def body_faults(self, op, key, response, a):
        media = (a.header('content-type') or '').partition(';')[0]
        content = response.get('content', {})
        if not a.body:
            if content:
                yield f'status {a.status} has no body'
            return
        if media not in content:
            yield f'status {a.status}: {media} is not documented'
            return
        if not media.endswith(('/json', '+json')):  # not lines of it
            return
        yield from self.validate(content[media]['schema'], a.json)
        if media == surface.PROBLEM and a.type not in surface.problems_of(self.doc, op, key):
            yield f'status {a.status}: {a.type} is not documented'

    def validate(self, schema, value):
        known = self.validators.get(id(schema))
        if known is None:
            known = self.validators[id(schema)] = surface.validator(self.doc, schema)
        for e in known.iter_errors(value):
            yield f'/{"/".join(map(str, e.absolute_path))}: {e.message[:300]}'
