#!/usr/bin/env python3
"""Runs the tour of README.md, and the walk as each role of docs/tour.md, against a real server and holds the two together: the
commands of the page are those of the script, and what it shows below them is what they print, but for ids, codes and times.

Usage: test_tour.py LORRY            the test
       test_tour.py LORRY --write    puts them into the pages as they ran just now
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOURS = (('tour.sh', ROOT / 'README.md'), ('tour_roles.sh', ROOT / 'docs/tour.md'))
BEGIN, END = '# ---- README begins ----\n', '# ---- README ends ----\n'
MARK = '@@@ %d'
SECTION = re.compile(r'(?<=<!-- tour: written by tests/integration/test_tour.py -->\n).*?(?=<!-- end of tour -->\n)', re.S)


def between(text):
    return text[text.index(BEGIN) + len(BEGIN):text.index(END)]


def run(lorry, name):
    """[(commands, what they print)] for each paragraph of the tour."""
    script = (HERE / name).read_text(encoding='utf-8')
    paragraphs = between(script).strip('\n').split('\n\n')
    marked = '\n\n'.join(f"echo '{MARK % i}'\n{p}" for i, p in enumerate(paragraphs))
    with tempfile.NamedTemporaryFile('w', suffix='.sh', encoding='utf-8') as copy:
        copy.write(script.replace(between(script), marked + '\n'))
        copy.flush()
        done = subprocess.run(['bash', copy.name, lorry], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        sys.exit(f'the tour ends with status {done.returncode}\n{done.stdout}{done.stderr}')
    printed = re.split('^' + MARK.replace('%d', r'\d+') + '\n', done.stdout, flags=re.M)[1:]
    assert len(printed) == len(paragraphs), done.stdout
    return list(zip(paragraphs, printed))


def markdown(tour):
    blocks = []
    for commands, printed in tour:
        blocks.append(f'```sh\n{commands}\n```\n')
        if printed:
            blocks.append(f'```text\n{printed}```\n')
    return '\n' + '\n'.join(blocks) + '\n'


def timeless(text):
    text = re.sub(r'\b([a-z]{3})_[0-7][0-9A-HJKMNP-TV-Z]{25}\b', r'\1_…', text)
    text = re.sub(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', '…', text)
    return re.sub(r'"code":"[0-9A-Z]{6}"', '"code":"…"', text)


def hold(lorry, name, page, write):
    shown = page.read_text(encoding='utf-8')
    section = SECTION.search(shown)
    if section is None:
        sys.exit(f'{page.name}: the marks of the tour are not there')
    ran = markdown(run(lorry, name))
    if write:
        page.write_text(shown[:section.start()] + ran + shown[section.end():], encoding='utf-8')
        return
    left, right = timeless(section[0]).splitlines(), timeless(ran).splitlines()
    line = shown[:section.start()].count('\n')
    for i in range(max(len(left), len(right))):
        ours, theirs = (lines[i] if i < len(lines) else '(nothing)' for lines in (left, right))
        if ours != theirs:
            sys.exit(f'{page.name}:{line + i + 1}: shows\n  {ours}\nand the tour has\n  {theirs}\n'
                     f'If the tour is right: {Path(__file__).name} LORRY --write')
    print(f'{len(right)} lines of {page.name} are as the tour ran')


def main():
    for name, page in TOURS:
        hold(sys.argv[1], name, page, '--write' in sys.argv)


if __name__ == '__main__':
    main()
