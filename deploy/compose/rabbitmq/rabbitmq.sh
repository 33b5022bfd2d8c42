#!/bin/sh
# Starts a node with what stands in the secrets: the password, and the cookie by which nodes know each other.
set -eu
umask 077
# Of its own mode and owner, as Erlang wants it.
rm -f /var/lib/rabbitmq/.erlang.cookie
cat /run/secrets/rabbitmq_cookie >/var/lib/rabbitmq/.erlang.cookie
chmod 400 /var/lib/rabbitmq/.erlang.cookie
{
    cat /etc/lorry/rabbitmq.conf
    printf 'default_pass = %s\n' "$(cat /run/secrets/rabbitmq_password)"
} >/tmp/rabbitmq.conf
export RABBITMQ_CONFIG_FILE=/tmp/rabbitmq.conf
exec rabbitmq-server
