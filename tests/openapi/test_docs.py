#!/usr/bin/env python3
"""Holds the pages for people against the files they speak of: every path in them is there, every function stands in
one of the files named in the same paragraph or row, every link leads somewhere, every metric, setting and event named
there exists."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ['README.md', *sorted(f'docs/{p.name}' for p in (ROOT / 'docs').glob('*.md'))]
TICKS = re.compile(r'`([^`\n]+)`')
TOPS = 'src|tests|api|docs|scripts|deploy'


def paragraphs(text):
    """(number of its first line, text): table rows and list items by themselves, code blocks left out."""
    lines, at, kept, fenced = text.split('\n'), 1, [], False
    for number, line in enumerate(lines + [''], 1):
        if line.startswith('```'):
            fenced = not fenced
        elif not fenced:
            if (not line.strip() or line.startswith(('|', '* '))) and kept:
                yield at, '\n'.join(kept)
                kept = []
            if line.strip():
                at = at if kept else number
                kept.append(line)


def read(path):
    return path.read_text(encoding='utf-8')


def files_in(text):
    """The files that the paragraph names; a folder stands for what is in it."""
    for token in TICKS.findall(text):
        if re.match(rf'({TOPS})/[\w./*-]+$', token):
            for found in ROOT.glob(token) if '*' in token else [ROOT / token]:
                yield token, found


def check_paragraph(text):
    bodies = ''
    for token, path in files_in(text):
        if not path.exists():
            yield f'there is no {token}'
        elif path.is_file():
            bodies += read(path)
    for name in re.findall(r'`(\w+)\(\)`', text):
        if not re.search(rf'\b{name}\(', bodies):
            yield f'{name}() is in none of the files named beside it'
    for name in re.findall(r'`(lorry_\w+)`', text):
        if name not in SOURCES:
            yield f'there is no metric {name}'
    for flag in re.findall(r'`(?:lorry \w+ )?--([a-z][a-z-]+)', text):
        keys = {flag, flag.removesuffix('-file')}  # of a secret, --NAME-file is a flag where NAME is the setting
        if not any(f'"{k.replace("-", "_")}"' in SOURCES for k in keys) and flag not in ('config', 'undo', 'help'):
            yield f'there is no setting --{flag}'
    for event in re.findall(r'`((?:booking|dispatch|driver|account|session)\.[a-z_]+)`', text):
        if f'"{event}"' not in SOURCES:
            yield f'there is no event {event}'


def anchors(text):
    """What GitHub calls the headings."""
    return {re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-') for title in re.findall(r'^#+ +(.*)$', text, re.M)}


def check_links(page, text):
    for target, anchor in re.findall(r'\]\(([^)#]*)(?:#([^)]*))?\)', text):
        path = page.parent / target if target else page
        if '://' in target:
            continue
        if not path.exists() and target:
            yield f'the link to {target} leads nowhere'
        elif anchor and anchor not in anchors(read(path) if target else text):
            yield f'the link to {target}#{anchor} leads to no heading'


def check(name, text):
    for line, paragraph in paragraphs(text):
        yield from (f'{name}:{line}: {what}' for what in check_paragraph(paragraph))
    yield from (f'{name}:1: {what}' for what in check_links(ROOT / name, text))


PLANTED = {
    'See `src/runtime/nothing.c`.': 'there is no src/runtime/nothing.c',
    '| 1 | `src/runtime/executor.c` `executor_dance()` |': 'executor_dance() is in none',
    'Look at `executor_turn()`.': 'executor_turn() is in none',
    'The metric `lorry_rain_total`.': 'there is no metric lorry_rain_total',
    'Set `--rain-max` to 1.': 'there is no setting --rain-max',
    'It says `booking.rained`.': 'there is no event booking.rained',
    'See [this](nothing.md).': 'the link to nothing.md leads nowhere',
    'See [this](operations.md#nothing).': 'operations.md#nothing leads to no heading',
}


def main():
    global SOURCES
    SOURCES = ''.join(read(p) for p in (ROOT / 'src').rglob('*.[ch]'))
    for text, phrase in PLANTED.items():
        assert any(phrase in c for c in check('docs/planted.md', text)), f'not found: {phrase}'
    complaints = [c for page in PAGES for c in check(page, read(ROOT / page))]
    complaints += [f'README.md: does not name {page}' for page in PAGES[1:] if f']({page})' not in read(ROOT / 'README.md')]
    print('\n'.join(complaints) or f'{len(PAGES)} pages speak of what is there')
    sys.exit(1 if complaints else 0)


if __name__ == '__main__':
    main()
