#!/usr/bin/env python3
"""Checks that includes under src/ go only along the arrows of the architecture:

    apps -> adapters, services -> runtime -> ports -> json, base

Each folder names the folders it may include and the third-party headers it may see; what a rule does not
name is refused with file, line and the rule. So a service cannot lean on another service or on an adapter,
and a library is replaced by changing one folder.

Usage: check-layers.py [ROOT]      ROOT holds src/ (default: the repository). Exit status 1 on a violation.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple


class Rule(NamedTuple):
    folders: str  # folders it may include beside its own; "*" for all
    libraries: str = ""  # third-party headers it may see, by the names of LIBRARIES


PURE = "base json geo"
SERVICE = "base json geo ports events runtime"
ADAPTER = "base json geo ports events runtime"

RULES = {
    "base": Rule(""),
    "json": Rule("base", "simdjson jansson c++"),
    "geo": Rule("base"),
    "ports": Rule("base json"),
    "events": Rule("base json"),
    "runtime": Rule("base json geo ports events", "sodium"),
    "dispatch": Rule("base geo"),
    "services/auth": Rule(SERVICE, "sodium openssl"),
    "services/booking": Rule(SERVICE),
    "services/driver": Rule(SERVICE + " dispatch", "sodium"),
    "services/notification": Rule(SERVICE, "sodium"),
    "services/map": Rule(SERVICE),
    "services/files": Rule(SERVICE, "sodium jpeg png"),
    "adapters/memory": Rule(ADAPTER),
    "adapters/inproc": Rule(ADAPTER),
    "adapters/amqp": Rule(ADAPTER, "amqp"),
    "adapters/sqlite": Rule(ADAPTER, "sqlite"),
    "adapters/mongo": Rule(ADAPTER, "mongoc"),
    "adapters/postgres": Rule(ADAPTER, "libpq"),
    "adapters/otlp": Rule(ADAPTER, "curl"),
    "adapters/redis": Rule(ADAPTER + " adapters/memory", "hiredis"),
    "adapters/crow": Rule(PURE + " ports"),
    "adapters/streets": Rule(PURE + " ports"),
    "adapters/mbtiles": Rule(PURE + " ports", "sqlite"),
    "adapters/http": Rule(ADAPTER, "uv llhttp wslay openssl"),
    "adapters/web": Rule(ADAPTER),
    "adapters/mail": Rule(ADAPTER),
    "adapters/blobs": Rule(PURE + " ports"),
    "adapters/curl": Rule(ADAPTER + " adapters/mail", "curl"),
    "client": Rule(PURE + " ports events", "uv llhttp wslay sodium openssl"),
    "testing": Rule(SERVICE + " adapters/memory adapters/inproc adapters/crow"),
    "sim": Rule("*"),
    "apps": Rule("*", "uv sodium"),
}
# "*" does not reach these: they stand at the top of the arrows.
TOPS = {"apps", "testing"}
# A unit test or a benchmark (test_*.c, bench_*.c, fuzz_*.c, test.h) stands beside its code and sees what that sees;
# cmocka, and what stands in for the world, too.
TEST_FILE = re.compile(r"(test|bench|fuzz)(_\w+)?\.(c|h)")
TEST_RULE = Rule("testing adapters/memory adapters/inproc adapters/crow", "cmocka jansson rhonabwy")

# Third-party headers by name. Whatever is neither here nor in LIBC is refused until someone decides
# which folder may have it.
LIBRARIES = {
    "amqp": r"amqp(_framing|_tcp_socket|_ssl_socket)?\.h",
    "curl": r"curl/curl\.h",
    "cmocka": r"cmocka\.h",
    "hiredis": r"hiredis/hiredis\.h",
    "jansson": r"jansson\.h",
    "jpeg": r"j(error|peglib)\.h",
    "libpq": r"libpq-fe\.h",
    "llhttp": r"llhttp(/llhttp)?\.h",
    "mongoc": r"(mongoc/mongoc|bson/bson)\.h",
    "openssl": r"openssl/.*",
    "png": r"png\.h",
    "rhonabwy": r"(rhonabwy|yder|orcania)\.h",
    "simdjson": r"simdjson\.h",
    "sodium": r"sodium(/.*)?\.h",
    "sqlite": r"sqlite3\.h",
    "uv": r"uv\.h",
    "wslay": r"wslay/.*",
    "c++": r"[a-z_]+",  # <string>, <memory>
}
LIBC = set(
    """
    assert complex ctype dirent dlfcn endian err errno fcntl fenv float fnmatch ftw getopt glob iconv inttypes
    iso646 langinfo libgen limits locale malloc math netdb nl_types poll pthread pwd grp regex sched
    semaphore setjmp signal spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn
    string strings syslog termios tgmath threads time uchar ucontext unistd utime wchar wctype byteswap
    execinfo ifaddrs
    """.split()
)
LIBC_FOLDERS = {"sys", "netinet", "arpa", "net", "linux", "sanitizer"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".c", ".h", ".cc"}


def folder_of(path):
    """The rule's name for a path relative to src/: "base", "services/auth"."""
    parts = path.split("/")
    deep = parts[0] in ("services", "adapters")
    return "/".join(parts[: 2 if deep else 1]) if len(parts) > (2 if deep else 1) else None


def library_of(header):
    if header.endswith(".h") and header[:-2] in LIBC:
        return "libc"
    if header.split("/")[0] in LIBC_FOLDERS:
        return "libc"
    for name, pattern in LIBRARIES.items():
        if re.fullmatch(pattern, header):
            return name
    return None


def wrong_with(src, folder, is_test, quoted, header):
    """What is wrong with an include in FOLDER, or None."""
    rule = RULES[folder]
    if not quoted:
        library = library_of(header)
        allowed = rule.libraries.split() + (TEST_RULE.libraries.split() if is_test else [])
        if library is None:
            return f"<{header}> belongs to no library that check-layers.py knows"
        if library != "libc" and library not in allowed:
            return f"{folder} may not use {library} (it may use: {' '.join(allowed) or 'libc only'})"
        return None
    target = folder_of(header)
    if target not in RULES:
        hint = " (write it relative to src/)" if (src / folder / header).exists() else ""
        return f'"{header}" is in no folder that check-layers.py knows{hint}'
    if target == folder:
        return None
    allowed = rule.folders.split() + (TEST_RULE.folders.split() if is_test else [])
    if target in allowed or ("*" in allowed and target not in TOPS):
        return None
    return f"{folder} may not include {target} (it may include: {' '.join(allowed) or 'its own folder only'})"


def check(root):
    """Yields "file:line: what" for every include that goes against the arrows."""
    src = root / "src"
    for path in sorted(p for p in src.rglob("*") if p.suffix in SOURCES):
        relative = path.relative_to(src).as_posix()
        folder = folder_of(relative)
        if folder not in RULES:
            yield f"src/{relative}:1: this folder has no rule in scripts/check-layers.py"
            continue
        is_test = TEST_FILE.fullmatch(path.name) is not None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = INCLUDE.match(line)
            if found:
                what = wrong_with(src, folder, is_test, found[1] == '"', found[2])
                if what:
                    yield f'src/{relative}:{number}: {line.strip()}: {what}'


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    violations = list(check(root))
    for violation in violations:
        print(violation, file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
