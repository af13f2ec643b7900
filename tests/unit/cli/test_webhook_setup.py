"""`./run webhook-setup`: what is printed, what is refused, and what the proxies themselves say to it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cli import main as front
from cli.errors import UserError
from cli.webhook_setup import ADDRESSES, PROXIES, ca_of, caddy, domain_of, nginx
from config.home import Home
from signal_processors.tradingview_alerts import Alert, Direction, read_alert, read_body

Run = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "tradingview.md").read_text()
DOMAIN = "alerts.example.org"
UPSTREAM = "127.0.0.1:21900"
DEADLINE_S = 60.0
MAKE = {"caddy": caddy, "nginx": nginx}


def config(proxy: str, ca_file: str | None = None) -> str:
    return "\n".join(MAKE[proxy](DOMAIN, UPSTREAM, ca_file)) + "\n"


# --- what is printed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_configuration_goes_to_stdout_and_advice_to_stderr(home: Home, capsys: Run, proxy: str) -> None:
    home.engine_config.write_text('{"tradingview_endpoint": {"port": 21901}}')
    assert front.main(["webhook-setup", DOMAIN, "--proxy", proxy]) == 0
    said = capsys.readouterr()
    assert "127.0.0.1:21901" in said.out
    assert DOMAIN in said.out
    assert "/webhook/<token>" in said.err
    assert "<token>" not in said.out


@pytest.mark.parametrize("proxy", PROXIES)
def test_nothing_but_alerts_of_tradingview_gets_through(proxy: str) -> None:
    found = config(proxy)
    assert all(address in found for address in ADDRESSES)
    assert "/webhook/" in found
    assert "16384" in found
    assert "404" in found
    assert "POST" in found
    assert len(re.findall(r"\b2s\b", found)) >= 3


def test_no_log_of_nginx_can_hold_the_token() -> None:
    found = config("nginx")
    assert "access_log off;" in found
    assert "error_log /dev/null crit;" in found


def test_no_log_of_caddy_can_hold_the_token() -> None:
    found = config("caddy")
    assert "request>uri delete" in found
    assert found.count("log {") == 1, "an access log of the site would hold paths"


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_client_certificate_is_an_option(proxy: str) -> None:
    assert "TradingView Webhooks" not in config(proxy)
    found = config(proxy, "/etc/ssl/tradingview.pem")
    assert "TradingView Webhooks" in found
    assert "/etc/ssl/tradingview.pem" in found


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("alerts.example.org", "alerts.example.org"),
        ("Alerts.Example.ORG", "alerts.example.org"),
        ("alerts.example.org.", "alerts.example.org"),
        ("a.b-c.co", "a.b-c.co"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("x.xn--p1ai", "x.xn--p1ai"),
    ],
)
def test_domains(given: str, domain: str) -> None:
    assert domain_of(given) == domain


@pytest.mark.parametrize(
    "given",
    [
        "",
        "localhost",
        "127.0.0.1",
        "::1",
        "https://alerts.example.org",
        "alerts.example.org:443",
        "alerts.example.org/webhook",
        "alerts example.org",
        "alerts.example.org;evil",
        "alerts.example.org\nserver{}",
        "-a.example",
        "a-.example",
        "a..example",
        "a_b.example",
        "{a}.example",
        "*.example.org",
        "a" * 64 + ".example",
        "a." * 130 + "example",
        "x" * 100_000,
    ],
)
def test_what_is_no_domain_is_refused(home: Home, capsys: Run, given: str) -> None:
    with pytest.raises(UserError, match="is no domain name"):
        domain_of(given)
    if not given.startswith("-"):
        assert front.main(["webhook-setup", given]) == 1
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize("given", ["ca.pem", "", "/etc/../x", "/etc/ca.pem; x", "/a\nb", '/a"b', "/{a}"])
def test_what_is_no_file_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="--client-ca"):
        ca_of(given)


# --- what the proxies say ---------------------------------------------------------------------------------------------


def installed(program: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed here, so it cannot check the configuration printed for it")
    return found


@pytest.mark.parametrize("client_ca", [False, True])
def test_caddy_takes_it(tmp_path: Path, client_ca: bool) -> None:
    program = installed("caddy")
    certificate, _ = self_signed(tmp_path)
    path = tmp_path / "Caddyfile"
    path.write_text(config("caddy", str(certificate) if client_ca else None))
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    check([program, "validate", "--config", str(path), "--adapter", "caddyfile"], os.environ | home)


@pytest.mark.parametrize("client_ca", [False, True])
def test_nginx_takes_it(tmp_path: Path, client_ca: bool) -> None:
    program = installed("nginx")
    certificate, key = self_signed(tmp_path)
    site = config("nginx", str(certificate) if client_ca else None)
    site = site.replace(f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem", str(certificate))
    site = site.replace(f"/etc/letsencrypt/live/{DOMAIN}/privkey.pem", str(key))
    (tmp_path / "site.conf").write_text(site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    whole = f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {paths} include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    check([program, "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)], dict(os.environ))


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={DOMAIN}"]
    check([installed("openssl"), *words, "-keyout", str(key), "-out", str(certificate)], dict(os.environ))
    return certificate, key


def check(words: list[str], environ: dict[str, str]) -> None:
    done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr


# --- docs/tradingview.md ----------------------------------------------------------------------------------------------

MESSAGES = re.findall(r"<!-- message: (\w+) -->\n```json\n(.*)\n```", PAGE)
FILLED = {
    "ticker": "SOLUSDT.P",
    "exchange": "BYBIT",
    "strategy.market_position": "long",
    "strategy.prev_market_position": "flat",
    "strategy.order.action": "buy",
    "timenow": "2026-11-20T09:12:44Z",
    "close": "152.3",
}


def read(message: str, **filled: str) -> Alert:
    known = FILLED | {name.replace("__", "."): value for name, value in filled.items()}
    fields = read_body(re.sub(r"\{\{(.*?)\}\}", lambda found: known[found[1]], message).encode())
    assert isinstance(fields, dict), fields
    alert = read_alert(fields)
    assert isinstance(alert, Alert), alert
    assert alert.notes == ()
    return alert


def test_every_message_on_the_page_is_marked() -> None:
    assert len(MESSAGES) == PAGE.count("```json") == 7


@pytest.mark.parametrize(("kind", "message"), MESSAGES)
def test_what_is_pasted_means_what_the_page_says(kind: str, message: str) -> None:
    alert = read(message)
    assert alert.symbol == "SOLUSDT"
    assert alert.direction is {"short": Direction.SHORT, "numbered": Direction.SHORT, "flat": Direction.FLAT}.get(
        kind, Direction.LONG
    )
    if kind == "strategy":
        closing = read(message, strategy__market_position="flat", strategy__prev_market_position="long")
        assert closing.direction is Direction.FLAT
        assert closing.depth == 0
        assert closing.prev_direction is Direction.LONG
        assert read(message, strategy__market_position="short", strategy__order__action="sell").depth < 0
    if kind == "numbered":
        assert (alert.signal_seq, alert.event_id) == (42, "sol-42")


def test_the_page_names_tradingviews_addresses() -> None:
    assert all(address in PAGE for address in ADDRESSES)
