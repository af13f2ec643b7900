"""`./run webhook-setup DOMAIN`: the configuration of a proxy that brings TradingView's alerts to the webhook.

What the two have in common: HTTPS only; only POST to `/webhook/`; only from TradingView's addresses; at most 16 KiB; an
answer within 2 s, before TradingView gives up after 3; 503 where the webhook does not answer, because TradingView sends
an alert again after that and not after a time-out or a 504; and no log that could hold a path: the token is in it.

Facts from TradingView's help pages: the addresses ("How to configure webhook alerts"), the resubmission ("Webhook
resubmission"), the client certificate ("Webhook authentication": CN=TradingView Webhooks).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

from cli.errors import UserError
from cli.places import home_of
from cli.reading import webhook_base
from config.home import Home
from signal_processors.tradingview_alerts import MAX_BODY_BYTES

ADDRESSES = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
CLIENT_NAME = "TradingView Webhooks"
PROXIES = ("caddy", "nginx")
ANSWER_S = 2
CONNECT_S = 1
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"(?=.{{4,253}}$)(?:{LABEL}\.)+(?=[a-z])(?:{LABEL})")
FILE = re.compile(r"/[A-Za-z0-9._/@+-]{1,1000}")
UNAVAILABLE = '{"status":"unavailable","reason":"the webhook does not answer"}'


def webhook_setup(args: argparse.Namespace) -> int:
    """The configuration on stdout, so that it can be sent to a file; what to do with it on stderr."""
    domain, ca_file = domain_of(args.domain), ca_of(args.client_ca)
    home = home_of(args)
    upstream = webhook_base(home).removeprefix("http://")
    lines = caddy(domain, upstream, ca_file) if args.proxy == "caddy" else nginx(domain, upstream, ca_file)
    print("\n".join(lines))
    sys.stdout.flush()
    print("\n".join(advice(home, domain, args.proxy)), file=sys.stderr)
    return 0


def domain_of(given: str) -> str:
    """A domain name in ASCII. Raises UserError for anything else, such as an address or one with a path."""
    try:
        found = given.rstrip(".").encode("idna").decode("ascii").lower() if len(given) <= 1000 else ""
    except UnicodeError:
        found = ""
    if DOMAIN.fullmatch(found) is None:
        raise UserError(
            f"{given[:80]!r} is no domain name; write it like alerts.example.org, without https://, port or path. "
            "A certificate needs a name that leads to this machine; an address has none."
        )
    return found


def ca_of(given: str | None) -> str | None:
    """The file of certificates that TradingView's is to be checked against. Raises UserError where it cannot be one."""
    if given is not None and (FILE.fullmatch(given) is None or ".." in given):
        raise UserError(f"--client-ca takes the absolute path of a file, such as /etc/ssl/certs/ca.pem, not {given!r}.")
    return given


def caddy(domain: str, upstream: str, ca_file: str | None) -> Iterator[str]:
    yield "# The whole Caddyfile. If there is one already, its global options (the first block) and these become one."
    yield "{"
    yield "\tservers {"
    yield "\t\ttimeouts {"
    yield f"\t\t\tread_header {ANSWER_S}s"
    yield f"\t\t\tread_body {ANSWER_S}s"
    yield "\t\t}"
    yield "\t}"
    yield "\t# The token is part of the path: the log of errors leaves it out, and there is no other one."
    yield "\tlog {"
    yield "\t\tformat filter {"
    yield "\t\t\twrap json"
    yield "\t\t\tfields {"
    yield "\t\t\t\trequest>uri delete"
    yield "\t\t\t\trequest>headers delete"
    yield "\t\t\t}"
    yield "\t\t}"
    yield "\t}"
    yield "}"
    yield ""
    yield f"{domain} {{"
    if ca_file:
        yield "\ttls {"
        yield "\t\tclient_auth {"
        yield "\t\t\tmode require_and_verify"
        yield f"\t\t\ttrusted_ca_cert_file {ca_file}"
        yield "\t\t}"
        yield "\t}"
    yield "\t@alert {"
    yield "\t\tmethod POST"
    yield "\t\tpath /webhook/*"
    yield f"\t\tremote_ip {' '.join(ADDRESSES)}"
    if ca_file:
        yield f'\t\tvars_regexp {{http.request.tls.client.subject}} "(^|,)CN={CLIENT_NAME}(,|$)"'
    yield "\t}"
    yield "\thandle @alert {"
    yield "\t\trequest_body {"
    yield f"\t\t\tmax_size {MAX_BODY_BYTES}"
    yield "\t\t}"
    yield f"\t\treverse_proxy {upstream} {{"
    yield "\t\t\ttransport http {"
    yield f"\t\t\t\tdial_timeout {CONNECT_S}s"
    yield f"\t\t\t\tresponse_header_timeout {ANSWER_S}s"
    yield "\t\t\t}"
    yield "\t\t}"
    yield "\t}"
    yield "\thandle {"
    yield "\t\trespond 404"
    yield "\t}"
    yield "\thandle_errors {"
    yield '\t\t@large vars_regexp {http.error.message} "request body too large"'
    yield "\t\trespond @large 413"
    yield "\t\t@away expression `{http.error.status_code} in [502, 504]`"
    yield f"\t\trespond @away `{UNAVAILABLE}` 503"
    yield "\t\trespond {http.error.status_code}"
    yield "\t}"
    yield "}"


def nginx(domain: str, upstream: str, ca_file: str | None) -> Iterator[str]:
    yield "server {"
    yield "    listen 443 ssl;"
    yield f"    server_name {domain};"
    yield f"    ssl_certificate     /etc/letsencrypt/live/{domain}/fullchain.pem;"
    yield f"    ssl_certificate_key /etc/letsencrypt/live/{domain}/privkey.pem;"
    yield "    ssl_protocols TLSv1.2 TLSv1.3;"
    if ca_file:
        yield f"    ssl_client_certificate {ca_file};"
        yield "    ssl_verify_client on;"
        yield "    ssl_verify_depth 4;"
    yield ""
    yield "    # The token is part of the path, so no log may hold one; the webhook itself says what is wrong."
    yield "    access_log off;"
    yield "    error_log /dev/null crit;"
    yield ""
    yield f"    client_max_body_size {MAX_BODY_BYTES};"
    yield f"    client_header_timeout {ANSWER_S}s;"
    yield f"    client_body_timeout {ANSWER_S}s;"
    yield f"    send_timeout {ANSWER_S}s;"
    yield ""
    yield "    location /webhook/ {"
    for address in ADDRESSES:
        yield f"        allow {address};"
    yield "        deny all;"
    yield "        limit_except POST { deny all; }"
    if ca_file:
        yield f'        if ($ssl_client_s_dn !~ "(^|,)CN={CLIENT_NAME}(,|$)") {{ return 403; }}'
    yield f"        proxy_pass http://{upstream};"
    yield "        proxy_http_version 1.1;"
    yield '        proxy_set_header Connection "";'
    yield "        proxy_set_header Host $host;"
    yield "        proxy_set_header X-Forwarded-For $remote_addr;"
    yield f"        proxy_connect_timeout {CONNECT_S}s;"
    yield f"        proxy_send_timeout {ANSWER_S}s;"
    yield f"        proxy_read_timeout {ANSWER_S}s;"
    yield "        proxy_next_upstream off;"
    yield "        error_page 502 504 =503 @away;"
    yield "    }"
    yield "    location @away {"
    yield "        default_type application/json;"
    yield f"        return 503 '{UNAVAILABLE}';"
    yield "    }"
    yield "    location / { return 404; }"
    yield "}"


def advice(home: Home, domain: str, proxy: str) -> Iterator[str]:
    if proxy == "caddy":
        yield "This is a Caddyfile. Save it as /etc/caddy/Caddyfile, then: caddy validate --config /etc/caddy/Caddyfile"
        yield "  && systemctl reload caddy. Caddy gets the certificate itself; 80 and 443 must reach this machine."
    else:
        yield "Save it as /etc/nginx/conf.d/trade-engine-webhook.conf, get the certificate (certbot certonly --nginx"
        yield f"  -d {domain}), then: nginx -t && systemctl reload nginx. Port 443 must reach this machine."
    yield f"In TradingView's alert: https://{domain}/webhook/<token>; ./run webhook-url names the token."
    yield 'To see senders in logs: {"tradingview_endpoint": {"trusted_proxies": ["127.0.0.1"]}} in '
    yield f"  {home.engine_config}. Everything else: docs/tradingview.md"
