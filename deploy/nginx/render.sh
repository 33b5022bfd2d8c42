#!/bin/sh
# Prints the configuration of Nginx: nginx.conf.in with its @WORDS@ filled in from the environment.
#
#   LORRY_AUTH='10.0.0.1:8080 10.0.0.2:8080' … deploy/nginx/render.sh > /etc/nginx/nginx.conf
#   nginx -t && nginx -s reload                      # no request is lost: old workers finish what they have
#
# LORRY_AUTH, LORRY_BOOKING, LORRY_DRIVER, LORRY_NOTIFICATION
#                             servers of each service, HOST:PORT with spaces between; default LORRY_SERVERS
# LORRY_SERVERS               one for all: `lorry serve` as one process (default 127.0.0.1:8080)
# LORRY_SERVER_NAME           names that are answered (default _: any)
# LORRY_TLS_CERTIFICATE       PEM chain (default /etc/lorry/tls/fullchain.pem); read as root, before the workers start
# LORRY_TLS_KEY               PEM key (default /etc/lorry/tls/privkey.pem)
# LORRY_HTTP_LISTEN           [ADDR:]PORT that redirects to HTTPS (default 80)
# LORRY_HTTPS_LISTEN          [ADDR:]PORT (default 443)
# LORRY_HTTPS_PUBLIC_PORT     the port as clients see it (default: that of LORRY_HTTPS_LISTEN)
# LORRY_WEB                   folder of the web app, for Nginx to serve it (default: what Lorry serves is passed on)
# LORRY_ACME                  folder with .well-known/acme-challenge/ (default /var/www/html)
# LORRY_ADDRESS_RATE          requests of one address, then 429 (default 50r/s); LORRY_ADDRESS_BURST more at once (200)
# LORRY_AUTH_RATE             the same for /v1/auth/ (default 5r/s); LORRY_AUTH_BURST (20)
# LORRY_ADDRESS_CONNECTIONS   connections of one address (default 100)
# LORRY_TRACE_SAMPLE          of the traces that begin at Nginx, per cent that Lorry is to record with --otlp (default 100)
# LORRY_TRUSTED_PROXIES       CIDRs of load balancers whose X-Forwarded-For is believed (default none)
# LORRY_NGINX_USER            whom the workers run as, where Nginx is started as root (default: Nginx's own)
# LORRY_NGINX_RUN             folder for the pid and temporary files (default /run)
# LORRY_NGINX_ACCESS_LOG      file or off (default /var/log/nginx/access.log; /dev/stdout in a container, not under systemd)
# LORRY_NGINX_MIME_TYPES      (default /etc/nginx/mime.types)
set -eu
here=$(dirname "$0")

fail() {
    printf 'render.sh: %s\n' "$1" >&2
    exit 2
}

# Nothing goes in that could end a directive, or mean something to sed.
sane() { # NAME VALUE
    case $2 in
    *[!A-Za-z0-9._:/\ \*\[\]-]*) fail "$1: \"$2\" has a character that has no place there" ;;
    esac
}

fill= # the words, as a program for sed
put() { # WORD TEXT
    fill="$fill
s|@$1@|$2|g"
}
setting() { # WORD NAME VALUE: a value that stands as it is
    sane "$2" "$3"
    [ -n "$3" ] || fail "$2 is empty"
    put "$1" "$3"
}
servers() { # WORD NAME VALUE
    sane "$2" "$3"
    lines='' again=''
    for server in $3; do
        case $server in
        *:[0-9]*) ;;
        *) fail "$2: \"$server\" is not HOST:PORT" ;;
        esac
        lines="${lines:+$lines }server $server max_fails=3 fail_timeout=2s;"
        again="$again server $server max_fails=0 backup;"
    done
    [ -n "$lines" ] || fail "$2 names no server"
    put "$1" "$lines$again"
}

all=${LORRY_SERVERS:-127.0.0.1:8080}
servers AUTH LORRY_AUTH "${LORRY_AUTH:-$all}"
servers BOOKING LORRY_BOOKING "${LORRY_BOOKING:-$all}"
servers DRIVER LORRY_DRIVER "${LORRY_DRIVER:-$all}"
servers NOTIFICATION LORRY_NOTIFICATION "${LORRY_NOTIFICATION:-$all}"

https=${LORRY_HTTPS_LISTEN:-443}
setting SERVER_NAME LORRY_SERVER_NAME "${LORRY_SERVER_NAME:-_}"
setting TLS_CERTIFICATE LORRY_TLS_CERTIFICATE "${LORRY_TLS_CERTIFICATE:-/etc/lorry/tls/fullchain.pem}"
setting TLS_KEY LORRY_TLS_KEY "${LORRY_TLS_KEY:-/etc/lorry/tls/privkey.pem}"
setting HTTP_LISTEN LORRY_HTTP_LISTEN "${LORRY_HTTP_LISTEN:-80}"
setting HTTPS_LISTEN LORRY_HTTPS_LISTEN "$https"
setting WEB LORRY_WEB "${LORRY_WEB:-/nowhere}"
if [ -n "${LORRY_WEB:-}" ]; then other=PASS_WEB; else other=OWN_WEB; fi
setting ACME LORRY_ACME "${LORRY_ACME:-/var/www/html}"
setting RUN LORRY_NGINX_RUN "${LORRY_NGINX_RUN:-/run}"
setting ACCESS_LOG LORRY_NGINX_ACCESS_LOG "${LORRY_NGINX_ACCESS_LOG:-/var/log/nginx/access.log}"
setting MIME_TYPES LORRY_NGINX_MIME_TYPES "${LORRY_NGINX_MIME_TYPES:-/etc/nginx/mime.types}"
setting ADDRESS_RATE LORRY_ADDRESS_RATE "${LORRY_ADDRESS_RATE:-50r/s}"
setting ADDRESS_BURST LORRY_ADDRESS_BURST "${LORRY_ADDRESS_BURST:-200}"
setting AUTH_RATE LORRY_AUTH_RATE "${LORRY_AUTH_RATE:-5r/s}"
setting AUTH_BURST LORRY_AUTH_BURST "${LORRY_AUTH_BURST:-20}"
setting TRACE_SAMPLE LORRY_TRACE_SAMPLE "${LORRY_TRACE_SAMPLE:-100}"
setting ADDRESS_CONNECTIONS LORRY_ADDRESS_CONNECTIONS "${LORRY_ADDRESS_CONNECTIONS:-100}"

port=${LORRY_HTTPS_PUBLIC_PORT:-${https##*:}}
sane LORRY_HTTPS_PUBLIC_PORT "$port"
if [ "$port" = 443 ]; then put HTTPS_SUFFIX ''; else put HTTPS_SUFFIX ":$port"; fi

user=${LORRY_NGINX_USER:-}
sane LORRY_NGINX_USER "$user"
put USER "${user:+user $user;}"

trusted=
for network in ${LORRY_TRUSTED_PROXIES:-}; do
    sane LORRY_TRUSTED_PROXIES "$network"
    trusted="$trusted set_real_ip_from $network;"
done
put TRUSTED "${trusted# }"

# HTTP/2 is asked for in another way from 1.25.1 on.
version=$(nginx -v 2>&1 | sed -n 's|.*nginx/\([0-9]*\)\.\([0-9]*\).*|\1\2|p')
if [ "${version:-122}" -gt 125 ]; then
    put HTTP2_FLAG ''
    put HTTP2 'http2 on;'
else
    put HTTP2_FLAG ' http2'
    put HTTP2 ''
fi

# What Nginx itself refuses: its codes, then status, slug, title, detail, one more header of the answer. The locations
# have names of their own because a request that is too broken to have an address can go to no "@name".
problems() {
    while IFS='|' read -r codes status slug title detail header; do
        [ -z "$header" ] || header="add_header $header always;"
        cat <<LOCATION
        error_page $codes =$status /_problem/$status;
        location = /_problem/$status {
            internal;
            default_type application/problem+json;
            add_header X-Request-Id \$lorry_request_id always;
            add_header Strict-Transport-Security "max-age=63072000" always;
            $header
            return $status '{"type":"/problems/$slug","title":"$title","status":$status,"detail":"$detail","request_id":"\$lorry_request_id"}';
        }
LOCATION
    done <<'END'
400 495 496 497|400|malformed-request|Malformed request|the request is not well-formed|
405|405|method-not-allowed|Method not allowed|this address takes GET and HEAD|Allow "GET, HEAD"
403 404|404|not-found|Not found|there is nothing here|
408|408|request-timeout|Request timeout|the request did not arrive in time|
413|413|payload-too-large|Payload too large|a body may have 1 MiB|
414|414|uri-too-long|Address too long|the request target is too long|
429|429|too-many-requests|Too many requests|too many requests from this address|Retry-After 1
431 494|431|headers-too-large|Headers too large|the header fields are too large|
500|500|internal|Internal error|the proxy could not handle the request|
501|501|not-implemented|Not implemented|the method or transfer coding is not known here|
502|502|bad-gateway|No server could be reached|no server of this service answers; a request that changes something may or may not have counted|Retry-After 1
503|503|overloaded|Overloaded|no server of this service takes requests at the moment|Retry-After 1
504|504|gateway-timeout|No answer in time|the server did not answer in time; a request that changes something may or may not have counted|Retry-After 1
END
}

problem_file=$(mktemp)
trap 'rm -f "$problem_file"' EXIT
problems >"$problem_file"
# The block "@NAME{@ … @}@" that does not apply goes, and the marks of the other.
sed -e "/^@$other{@\$/,/^@}@\$/d" -e '/^@[A-Z_]*{@$/d' -e '/^@}@$/d' -e "/^@PROBLEMS@\$/{
r $problem_file
d
}" -e "$fill" "$here/nginx.conf.in"
