"""Asks for the keys of sources and venues: `credentials.json`.

    python3 config/credentials.py [--home DIR] [--show | --validate | --check [ACCOUNT ...] | --from FILE | --set …]

Nothing is written before the last question is answered; what it does not know stays. No secret is ever shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from config.credential_edits import (
    Whole,
    account_of,
    findings,
    key_owner,
    merged,
    patient,
    unset_names,
    with_set,
    without,
)
from config.credential_entries import KEYS, Reader, accounts_in, entries
from config.credential_fields import BITTENSOR, endpoint_hint
from config.credential_session import CredentialSession, owner_lines, refuse_unusable
from config.credentials_file import bittensor_of, read_dotenv, tighten, unknown_sections, webhook_tokens
from config.home import Home
from config.preflight import check_accounts
from config.prompting import Person, Terminal
from config.scripting import (
    DONE,
    NOT_DONE,
    Opened,
    Output,
    common_parser,
    given_json,
    guarded,
    home_of,
    one_way,
    open_json,
    refused,
)
from config.secret import ENV_PREFIX
from core.errors import ConfigError
from core.state import RealFileOps

AT_START = (
    "Programs read it when they start: ./run restart trade-engine (for the Bittensor key: bittensor-signals). "
    "With --check the venues are asked."
)
EXAMPLES = (
    "python3 config/credentials.py --show",
    "python3 config/credentials.py --check bybit-main",
    "python3 config/credentials.py --set bybit-main.api_key=env:BYBIT_KEY --set bybit-main.api_secret=env:BYBIT_SECRET",
    "python3 config/credentials.py --from old/credentials.json",
)


# --- looking ----------------------------------------------------------------------------------------------------------


def show(whole: Whole, reader: Reader, output: Output) -> None:
    """Which accounts there are and where each field comes from; never what it holds."""
    accounts = {str(one.account): one for one in accounts_in(whole, patient(reader, whole))}
    wrong = findings(whole, reader)
    listed = []
    for entry in entries(whole):
        name = account_of(entry)
        held = {key: _held(entry.given[key], reader) for key in KEYS if entry.given.get(key)}
        owner = key_owner(accounts[name]) if name in accounts else ("", "")
        listed.append({"account": name, "where": entry.path, "fields": held, "key_of": owner[0] or None})
        listed[-1]["trouble"] = wrong.get(name)
        output.say(f"{name} ({entry.path}): {', '.join(f'{key} {how}' for key, how in held.items()) or 'no keys'}")
        if owner[0]:
            output.say(f"    {owner_lines(owner)[0]}")
        if name in wrong:
            output.say(f"    {wrong[name]}")
    source = whole.get(BITTENSOR)
    fed = {key: _held(value, reader) for key, value in source.items() if value} if isinstance(source, dict) else {}
    output.say(f"{BITTENSOR}: {', '.join(f'{key} {how}' for key, how in fed.items()) or 'not configured'}")
    tokens, _ = webhook_tokens(whole, reader)
    output.say(
        f"tradingview: {len(tokens)} webhook tokens" + ("" if tokens else "; the first is made at the first start")
    )
    output.more |= {"accounts": listed, BITTENSOR: fed, "webhook_tokens": len(tokens)}


def _held(value: object, reader: Reader) -> str:
    """Where a field's value comes from."""
    if not isinstance(value, str):
        return "not a text"
    if not value.strip().startswith(ENV_PREFIX):
        return "set"
    return f"{value.strip()}, not set" if unset_names(reader, value) else value.strip()


def validate(whole: Whole, reader: Reader, output: Output) -> int:
    """Everything that is wrong with the file as it would be used now."""
    for account in accounts_in(whole, reader):
        if account.trouble:
            output.problem(account.trouble)
    said = findings(whole, reader)
    for trouble in said.values():
        if trouble not in output.problems:
            output.problem(trouble)
    for problem in (*webhook_tokens(whole, reader)[1], *bittensor_of(whole, reader)[1]):
        output.problem(problem)
    _hints(whole, output)
    if not any(True for _ in entries(whole)):
        output.warn("credentials.json names no account, so nothing can be traded yet")
    output.say("" if output.problems else f"{output.path} is valid.")
    return NOT_DONE if output.problems else DONE


def _hints(whole: Whole, output: Output) -> None:
    for words in unknown_sections(whole):
        output.warn(words)
    endpoint = whole.get(BITTENSOR, {}).get("endpoint", "") if isinstance(whole.get(BITTENSOR), dict) else ""
    if isinstance(endpoint, str) and not endpoint.startswith(ENV_PREFIX) and (hint := endpoint_hint(endpoint)):
        output.warn(hint)


# --- changing ---------------------------------------------------------------------------------------------------------


def save(opened: Opened, wanted: Whole, reader: Reader, output: Output, *, write: bool = True) -> int:
    """Writes the file unless the edit made an account unusable. Raises StateError, OSError: nothing was changed."""
    before = findings(opened.raw.data, reader) if opened.raw is not None else {}
    now = findings(wanted, reader)
    for account, trouble in now.items():
        if before.get(account) == trouble:
            output.warn(trouble)
    new = [trouble for account, trouble in now.items() if before.get(account) != trouble]
    if new:
        return refused(output, new)
    for name in unset_names(reader, wanted):
        output.warn(f"{name} is set neither in the environment nor in .env; add {name}=… to .env before the next start")
    _hints(wanted, output)
    if write:
        output.write(opened, wanted, RealFileOps(), AT_START)
    return DONE


def _wanted(args: argparse.Namespace, present: Whole, reader: Reader, person: Person) -> Whole:
    """What the file is to hold. Raises ConfigError, Ended, KeyboardInterrupt."""
    if args.given:
        return merged(present, refuse_unusable(given_json(args.given, RealFileOps()).data))
    if not (args.set or args.remove):
        return CredentialSession(person, reader).run(present)
    wanted = present
    for account in args.remove:
        wanted = without(wanted, account)
    for text in args.set:
        wanted = with_set(wanted, text)
    return wanted


def _act(args: argparse.Namespace, home: Home, output: Output, person: Person) -> int:
    for path in (home.credentials, home.dotenv):
        if note := tighten(path):
            output.warn(note)
    if args.check is not None:
        return check_accounts(home, args.check, output)
    opened = open_json(home.credentials, RealFileOps())
    present = refuse_unusable({} if opened.raw is None else opened.raw.data)
    reader = Reader(os.environ, read_dotenv(home, RealFileOps()))
    if args.show:
        show(present, reader, output)
        return DONE
    if args.validate and not (args.given or args.set or args.remove):
        if opened.raw is None:
            raise ConfigError("credentials.json", "does not exist; make it with python3 config/credentials.py")
        return validate(present, reader, output)
    wanted = _wanted(args, present, reader, person)
    output.say()
    code = save(opened, wanted, reader, output, write=not args.validate)
    if code == DONE:
        show(wanted, reader, output)
    return code


def main(argv: Sequence[str] | None = None, person: Person | None = None) -> int:
    parser = common_parser("credentials", "Keys of the sources and venues, kept in credentials.json (0600).", EXAMPLES)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ACCOUNT.FIELD=VALUE",
        help="set a field; secrets as env:NAME only",
    )
    parser.add_argument("--remove", action="append", default=[], metavar="ACCOUNT", help="remove an account's keys")
    args = parser.parse_args(argv)
    one_way(parser, args, {"--from": args.given, "--set or --remove": args.set or args.remove})
    home = home_of(parser, args.home)
    output = Output(home.credentials, args.json)
    return guarded(output, lambda: _act(args, home, output, person or Terminal()))


if __name__ == "__main__":
    sys.exit(main())
