#!/usr/bin/env python3
"""A real SMTP server (Debian's python3-aiosmtpd) for test_smtp.c: says on its standard output which port it took, then
one line for each message that it has taken, as Python's own parser reads it.

What it does with a message is in the receiver's name: later@ is told 451, never@ 550, slow@ waits for seconds,
data@ is refused only after the text.

Usage: smtp_server.py plain|starttls|smtps|auth [CERTIFICATE KEY]
"""
import asyncio
import email
import email.policy
import sys

try:
    import ssl

    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError as missing:
    print(f'skip {missing}', flush=True)
    sys.exit(0)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split('@')[0]
        if name == 'slow':
            await asyncio.sleep(30)
        if name == 'later':
            return '451 come again'
        if name == 'never':
            return '550 nobody of that name'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith('data@'):
            return '554 not that'
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_body(('plain',)).get_content()
        html = message.get_body(('html',))
        print('got', repr({'from': envelope.mail_from, 'to': envelope.rcpt_tos, 'tls': session.ssl is not None,
                           'user': session.auth_data is not None, 'sender': str(message['From']),
                           'subject': str(message['Subject']), 'id': str(message['Message-ID']), 'text': text,
                           'html': html.get_content() if html else None, 'defects': len(message.defects)}), flush=True)
        return '250 taken'


def check(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b'kim@home', b'p ss:w/rd')
    return AuthResult(success=right, auth_data=data.login)


async def main(mode, files):
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    options = {'hostname': 'localhost', 'timeout': 60}
    if mode in ('starttls', 'auth'):
        options.update(tls_context=context, require_starttls=mode == 'auth')
    if mode == 'auth':
        options.update(authenticator=check, auth_required=True)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Handler(), **options), '127.0.0.1', 0, ssl=context if mode == 'smtps' else None)
    print('port', server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read, 1):
        pass  # until the test is gone


asyncio.run(main(sys.argv[1], sys.argv[2:]))
