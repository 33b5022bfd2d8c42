#!/bin/sh
# Redis as it is used here: nothing is kept on disk, what would end anyway makes room, and it needs the password. Sentinels are
# asked without one; nobody from outside reaches them.
# Usage: redis.sh server|replica|sentinel|health
set -eu
role=$1
name=redis            # who is the master at the start
folder=${LORRY_REDIS_FOLDER:-/tmp}
port=${LORRY_REDIS_PORT:-6379}
password=$(cat "${LORRY_REDIS_PASSWORD_FILE:-/run/secrets/redis_password}")
bind=${LORRY_REDIS_BIND:-* -::*}
umask 077

if [ "$role" = health ]; then
    if [ "$port" = 6379 ]; then export REDISCLI_AUTH="$password"; fi
    redis-cli -p "$port" ping | grep -qx PONG
    exit
fi

# A restart must not forget what Sentinel has written into the file: who is the master now.
conf=$folder/$role.conf
if [ ! -s "$conf" ]; then
    if [ "$role" = sentinel ]; then
        cat >"$conf" <<CONF
port $port
bind $bind
dir $folder
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor lorry ${LORRY_REDIS_MASTER:-$name 6379} 2
sentinel auth-pass lorry $password
sentinel down-after-milliseconds lorry 3000
sentinel failover-timeout lorry 10000
CONF
    else
        cat >"$conf" <<CONF
port $port
bind $bind
dir $folder
requirepass $password
masterauth $password
save ""
appendonly no
maxmemory 256mb
maxmemory-policy volatile-lru
CONF
        if [ "$role" = replica ]; then
            printf 'replicaof %s\n' "${LORRY_REDIS_MASTER:-$name 6379}" >>"$conf"
        fi
    fi
fi
if [ "$role" = sentinel ]; then exec redis-server "$conf" --sentinel; fi
exec redis-server "$conf"
