"""The questions of `config/credentials.py`: the venues in their order, then as many further accounts as there are."""

from __future__ import annotations

from dataclasses import dataclass

from config.credential_edits import (
    Whole,
    account_of,
    findings,
    key_owner,
    patient,
    present_fields,
    unset_names,
    with_fields,
)
from config.credential_entries import MAIN, NAME, NATIVE, Reader, accounts_in, entries
from config.credential_fields import BITTENSOR, Field, check_venue, checked, endpoint_hint, fields_of, title_of
from config.prompting import Person, ask_until
from config.secret import ENV_PREFIX
from core.errors import ConfigError

ANOTHER_PROMPT = "Add another account (name or Enter to finish): "


@dataclass(frozen=True, slots=True)
class CredentialSession:
    """One session with a person. `reader` resolves `env:NAME`."""

    person: Person
    reader: Reader

    def run(self, whole: Whole) -> Whole:
        """The whole session; returns what is to be written."""
        self.person.say("Enter skips what is not configured, and keeps what is. Secrets are not shown while typed;")
        self.person.say("instead of one, env:NAME names a variable of the environment or of .env in the home.")
        for section in (BITTENSOR, *NATIVE):
            whole = self._account(whole, section, MAIN)
        others = [account_of(entry) for entry in entries(whole) if "[" in entry.path]
        self.person.say(f"\nOther accounts: {', '.join(others) or 'none'}")
        while name := ask_until(self.person, ANOTHER_PROMPT, _account_name):
            venue = ask_until(self.person, f"Enter the exchange of {name} ({', '.join(NATIVE)}): ", _venue)
            if not venue:
                self.person.say(f"  {name} is not added.")
                continue
            whole = self._account(whole, venue, name)
        return whole

    def _account(self, whole: Whole, section: str, name: str) -> Whole:
        """Asks for one account until its answers fit the rest, or it is left as it was."""
        title = title_of(section) if name == MAIN else f"{title_of(section)} {name}"
        while True:
            present = present_fields(whole, section, name)
            is_there = any(present.values())
            state = "configured; Enter keeps each value" if is_there else "not configured; Enter skips it"
            self.person.say(f"\n{title}: {state}")
            given = self._fields(title, fields_of(section), present)
            if not given:
                return whole
            candidate = with_fields(whole, section, name, given)
            trouble = findings(candidate, self.reader).get(f"{section}-{name}")
            if trouble is None:
                self._told(candidate, section, name, given)
                return candidate
            self.person.say(f"  {trouble} Nothing of this was taken; once more, or Enter to leave {title} as it was.")

    def _fields(self, title: str, fields: tuple[Field, ...], present: object) -> dict[str, str]:
        """The fields typed anew; none where the account is skipped, kept, or given up."""
        now = present if isinstance(present, dict) else {}
        given: dict[str, str] = {}
        for number, field in enumerate(fields):
            value = self._field(field)
            if not value and not now.get(field.name):
                if number == 0:
                    return {}  # skipped
                self.person.say(f"  {title} needs it. Type it, or press Enter once more to leave {title} as it was.")
                value = self._field(field)
                if not value:
                    self.person.say(f"  {title} is left as it was.")
                    return {}
            if value:
                given[field.name] = value
        return given

    def _field(self, field: Field) -> str:
        return ask_until(
            self.person, field.prompt, lambda text: checked(field.name, text) if text else "", hidden=field.hidden
        )

    def _told(self, whole: Whole, section: str, name: str, given: dict[str, str]) -> None:
        """What a person should know of what was just typed."""
        for missing in unset_names(self.reader, given):
            self.person.say(f"  {missing} is set neither in the environment nor in .env yet; add {missing}=… to .env.")
        if section == BITTENSOR:
            endpoint = given.get("endpoint", "")
            if endpoint and not endpoint.startswith(ENV_PREFIX) and (hint := endpoint_hint(endpoint)):
                self.person.say(f"  {hint}")
            return
        self.person.say(f"  The account is {section}-{name}.")
        accounts = {str(one.account): one for one in accounts_in(whole, patient(self.reader, whole))}
        if section == "hyperliquid":
            for line in owner_lines(key_owner(accounts[f"{section}-{name}"])):
                self.person.say(f"  {line}")


def owner_lines(owner: tuple[str, str]) -> list[str]:
    """Whose the private key is, in words."""
    whose, address = owner
    if whose == "wallet":
        return [
            "The private key is the wallet's own, so whoever has it can withdraw, too.",
            "An agent's key (API wallet) can trade and nothing else; make one on Hyperliquid and use it here.",
        ]
    if whose == "agent":
        return [
            f"The private key is an agent's, {address}: this wallet must have approved it on Hyperliquid.",
            "Positions and equity are read from the wallet; an agent has none of its own.",
        ]
    return ["Whose the private key is could not be told now, because a value is not set yet."]


def _account_name(answer: str) -> str:
    if answer == MAIN:
        raise ValueError(f"{MAIN} is the name of the accounts asked for above; give another one")
    if answer and NAME.fullmatch(answer) is None:
        raise ValueError("must be lower-case letters, digits and hyphens, at most 38, such as second")
    return answer


def _venue(answer: str) -> str:
    return check_venue(answer) if answer else ""


def refuse_unusable(whole: object) -> Whole:
    """The file's content where it is an object whose sections can be edited. Raises ConfigError, showing no value."""
    if not isinstance(whole, dict):
        raise ConfigError("credentials.json", "must be an object: {...}; correct it by hand")
    for section in (BITTENSOR, *NATIVE, "tradingview"):
        if section in whole and not isinstance(whole[section], dict):
            raise ConfigError(f"credentials.json: {section}", "must be an object: {...}; correct it by hand")
    if not isinstance(whole.get("accounts", []), list):
        raise ConfigError("credentials.json: accounts", "must be a list: [...]; correct it by hand")
    return whole
