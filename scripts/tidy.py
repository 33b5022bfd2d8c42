#!/usr/bin/env python3
"""Runs clang-tidy over the project's own sources, in parallel, and only over what changed.

A file that came out clean leaves a mark named by the hash of everything its verdict hangs on: the settings,
the tool's version, the compile command, the file and every project header it includes. The marks lie in
BUILD/tidy-cache; deleting it only costs time.

Usage: tidy.py BUILD [FILE]...      BUILD holds compile_commands.json. Exit status 1 on a finding.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# cmocka's assertions leave by longjmp, which the analyzer does not see: after assert_non_null(p) it still
# fears that p is NULL. The tests run under the sanitizers instead; their input is their own.
TEST_CHECKS = (
    "-clang-analyzer-core.*,-clang-analyzer-unix.Malloc,-readability-function-size,"
    "-bugprone-suspicious-missing-comma,-cert-err34-c,-clang-analyzer-security.insecureAPI.strcpy"
)


def own_sources(build, only):
    """The compile commands of this project's files (a build also compiles llhttp's)."""
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        for entry in json.load(file):
            path = Path(os.path.normpath(Path(entry["directory"]) / entry["file"]))
            if path.is_relative_to(ROOT / "src") or path.is_relative_to(ROOT / "tests"):
                if not only or path in only:
                    yield path, entry


def dependencies(entry):
    """The file and the project's headers it includes."""
    words = shlex.split(entry["command"])
    if Path(words[0]).name == "ccache":
        words = words[1:]
    command = ["clang++" if "++" in words[0] else "clang"]
    skip = False
    for word in words[1:]:
        if skip or word in ("-c", "-MD", "-MMD"):
            skip = False
        elif word in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        else:
            command.append(word)
    done = subprocess.run(command + ["-MM", "-w"], cwd=entry["directory"], capture_output=True, text=True, check=True)
    return done.stdout.split(":", 1)[1].replace("\\\n", " ").split()


def fingerprint(path, entry, settings):
    digest = hashlib.sha256(settings + entry["command"].encode())
    for name in [str(path)] + sorted(dependencies(entry)):
        digest.update(name.encode() + b"\0")
        digest.update((Path(entry["directory"]) / name).read_bytes())
    return digest.hexdigest()


def tidy(build, path, entry, settings):
    """Returns (path, what was found or "", came from the cache)."""
    try:
        mark = build / "tidy-cache" / fingerprint(path, entry, settings)
    except subprocess.CalledProcessError as error:
        return path, error.stderr, False
    if mark.exists():
        return path, "", True
    command = ["clang-tidy", "--quiet", "-p", str(build)]
    if path.name.startswith(("test_", "bench_", "fuzz_")) or path.is_relative_to(ROOT / "tests"):
        command.append(f"--checks={TEST_CHECKS}")
    done = subprocess.run(command + [str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        mark.touch()
        return path, "", False
    # Paths as people write them, without the count of warnings in the system's headers.
    found = re.sub(r"\S*/(?=(src|tests)/)", "", done.stdout + done.stderr)
    return path, re.sub(r"\d+ warnings? generated\.\n", "", found), False


def main():
    build = Path(sys.argv[1]).resolve()
    (build / "tidy-cache").mkdir(exist_ok=True)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, check=True).stdout
    settings = version + (ROOT / ".clang-tidy").read_bytes() + Path(__file__).read_bytes()
    only = {Path(name).resolve() for name in sys.argv[2:]}

    files, cached, bad = dict(own_sources(build, only)), 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(tidy, build, path, entry, settings) for path, entry in sorted(files.items())]
        for job in concurrent.futures.as_completed(jobs):
            path, found, from_cache = job.result()
            cached += from_cache
            if found:
                bad += 1
                print(f"-- {path.relative_to(ROOT)}\n{found}", flush=True)
    print(f"clang-tidy: {len(files)} files ({cached} unchanged since they were clean), {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
