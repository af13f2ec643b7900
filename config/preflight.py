"""Asking the venues: `./run preflight ACCOUNT`, as a process, so that no script loads a venue's SDK."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.credentials_file import CredentialsFile
from config.home import CHECKOUT, Home
from config.problems import listed, nearest
from config.scripting import DONE, NOT_DONE, NOT_UNDERSTOOD, Output

LIMIT_S = 90.0
MAX_LINES = 60


@dataclass(frozen=True, slots=True)
class Check:
    """What became of one account's preflight: `passed`, `failed`, or `unknown` where it could not be asked."""

    account: str
    outcome: str
    said: tuple[str, ...]


def preflight(home: Home, account: str, program: Path = CHECKOUT / "run", limit_s: float = LIMIT_S) -> Check:
    """Runs the verb for one account. A program that is not there or does not end proves nothing: unknown."""
    command = [str(program), "--home", str(home.root), "preflight", account]
    shown = f"./run preflight {account}"
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return Check(account, "unknown", (f"{shown} did not end within {limit_s:g} s; try it by hand.",))
    except OSError as error:
        return Check(account, "unknown", (f"{shown} could not be started: {error.strerror or error}.",))
    said = tuple((done.stdout + done.stderr).strip().splitlines()[-MAX_LINES:])
    if done.returncode == DONE:
        return Check(account, "passed", said)
    if done.returncode == NOT_UNDERSTOOD:
        words = f"{shown} is not understood by this checkout's ./run, so the venue was not asked; update the checkout."
        return Check(account, "unknown", (words, *said[-1:]))
    return Check(account, "failed", said or (f"{shown} ended with {done.returncode} and said nothing.",))


def check_accounts(home: Home, names: Sequence[str], output: Output, program: Path = CHECKOUT / "run") -> int:
    """`--check`: every named account, or all; done only if all passed. Raises ConfigError."""
    accounts = {str(account.account): account for account in CredentialsFile(home).load().accounts}
    for name in names:
        if name not in accounts:
            near = nearest(name, accounts)
            output.problem(
                f"{name} is not in credentials.json ({f'did you mean {near}?' if near else listed(accounts)})"
            )
    if not accounts:
        output.problem("credentials.json names no account; add one with python3 config/credentials.py")
    checks = []
    for name in [name for name in names if name in accounts] if names else list(accounts):
        trouble = accounts[name].trouble
        if not trouble:
            output.say(f"Asking the venue about {name} ...")
        check = Check(name, "failed", (trouble,)) if trouble else preflight(home, name, program)
        checks.append(check)
        output.say(f"{check.account}: {check.outcome}")
        for line in check.said:
            output.say(f"    {line}")
    output.more["checks"] = [
        {"account": check.account, "outcome": check.outcome, "said": list(check.said)} for check in checks
    ]
    return DONE if not output.problems and all(check.outcome == "passed" for check in checks) else NOT_DONE
