#!/usr/bin/env python3
"""Writes a header with MODULE_BUILD: the version, and a hash of every header under SRC. The program and its modules
(src/base/module.h) must agree on it, since they call each other by what the headers say.

Usage: module-build.py VERSION SRC OUT DEPFILE
"""

import hashlib
import sys
from pathlib import Path


def main():
    version, src, out, depfile = sys.argv[1], *map(Path, sys.argv[2:])
    headers = sorted(src.rglob('*.h'))
    digest = hashlib.sha256()
    for header in headers:
        digest.update(f'{header.relative_to(src)}\0'.encode() + header.read_bytes() + b'\0')
    out.write_text(f'/* Made by scripts/module-build.py. */\n#define MODULE_BUILD "{version}-{digest.hexdigest()[:16]}"\n', encoding='utf-8')
    depfile.write_text(f'{out}: ' + ' '.join(str(h).replace(' ', '\\ ') for h in headers) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
