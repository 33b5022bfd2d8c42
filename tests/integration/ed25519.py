"""Ed25519 as RFC 8032 tells it, verification only: a second opinion on the tokens that the server signs."""
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _point(data):
    y = int.from_bytes(data, 'little')
    x = _x(y & (1 << 255) - 1, y >> 255)
    return None if x is None else (x, y & (1 << 255) - 1)


def _add(a, b):
    (ax, ay), (bx, by) = a, b
    t = D * ax * bx * ay * by
    return ((ax * by + bx * ay) * pow(1 + t, P - 2, P) % P, (ay * by + ax * bx) * pow(1 - t, P - 2, P) % P)


def _times(n, point):
    total = (0, 1)
    while n:
        if n & 1:
            total = _add(total, point)
        point, n = _add(point, point), n >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (_x(BASE_Y, 0), BASE_Y)


def verify(public_key, message, signature):
    a, r, s = _point(public_key), _point(signature[:32]), int.from_bytes(signature[32:], 'little')
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), 'little') % L
    return _times(s, BASE) == _add(r, _times(h, a))
