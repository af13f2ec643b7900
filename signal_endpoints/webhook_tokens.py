"""The webhook's tokens, `credentials.json` -> `tradingview.webhook_tokens[]`: made at first start, re-read live.

Several are valid at once, so that one can be replaced without losing an alert: add the new one, change the alerts,
remove the old one. Neither tokens nor what was tried instead of one are ever logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from config.contents import Content, Contents
from config.credential_entries import Reader
from config.credential_entries import section as object_of
from config.credentials_file import FILE, read_dotenv, tighten, webhook_tokens
from config.home import Home
from config.secret import Secret
from core.errors import ConfigError, Conflict, Locked
from core.ports import Clock, FileOps
from core.state import loads, update_json

log = logging.getLogger("tradingview-endpoint")

HIDDEN = "(webhook token)"


class Tokens:
    """The tokens as of the last `refresh`; while the file cannot be read, those read before stay valid.

    `known` is False until the file was read once: nobody can say then whether a token is wrong.
    """

    def __init__(
        self, home: Home, ops: FileOps, clock: Clock, environ: Mapping[str, str], new_token: Callable[[], str]
    ) -> None:
        self._home = home
        self._ops = ops
        self._environ = environ
        self._new_token = new_token
        self._contents = Contents(ops, clock)
        self._seen: tuple[Content, ...] = ()
        self._tokens: tuple[Secret, ...] = ()
        self._said: object = None
        self._ensured = False
        self.known = False
        self.versions: Mapping[str, str] = {}
        """File name -> content hash of the files the tokens were read from."""

    def matches(self, given: str) -> bool:
        """Whether `given` is a valid token; takes the same time whichever it is, or none."""
        return sum(token.matches(given) for token in self._tokens) > 0

    def without(self, text: str) -> str:
        """`text` with every valid token in it replaced by a mark."""
        for token in self._tokens:
            text = text.replace(token.reveal(), HIDDEN)
        return text

    def refresh(self) -> None:
        """Looks at credentials.json, and at .env for tokens written as `env:NAME`. Never raises; says what is wrong.

        Until that succeeded once it also makes the first token where there is none.
        """
        try:
            if not self._ensured:
                self._ensure()
            found = tuple(self._contents.read(path) for path in (self._home.credentials, self._home.dotenv))
            if found == self._seen:
                return
            self._seen = found
            self._read(found[0])
        except (ConfigError, Conflict, Locked, OSError) as error:
            kept = f"The {len(self._tokens)} read before stay valid" if self.known else "Alerts are answered 503"
            self._say(f"{error}. {kept} until that is mended.")

    def _read(self, credentials: Content) -> None:
        if credentials.data is None:
            raise ConfigError(FILE, credentials.trouble)
        notes = [note for path in (self._home.credentials, self._home.dotenv) if (note := tighten(path))]
        reader = Reader(self._environ, read_dotenv(self._home, self._ops))
        tokens, problems = webhook_tokens(object_of(loads(credentials.data, FILE)), reader)
        if tokens or not problems:
            self._tokens = tokens
            self.known = True
            self.versions = {one.path.name: one.version for one in self._seen if not one.missing}
        self._say(" ".join([*notes, *problems]))

    def _ensure(self) -> None:
        """Makes the first token. Raises what `update_json` does, ConfigError: nothing was changed."""
        content = self._contents.read(self._home.credentials)
        if content.data is None and not content.missing:
            raise ConfigError(FILE, content.trouble)
        whole = {} if content.data is None else dict(object_of(loads(content.data, FILE)))
        section = object_of(whole.get("tradingview", {}), "tradingview")
        if not section.get("webhook_tokens"):
            whole["tradingview"] = {**section, "webhook_tokens": [self._new_token()]}
            expected = None if content.data is None else content.version
            update_json(self._home.credentials, expected, whole, ops=self._ops)
            log.info("Made a webhook token, in %s; `./run webhook-url` shows the address to paste.", FILE)
        self._ensured = True

    def _say(self, what: str) -> None:
        """Logs a finding when it is not the one already logged."""
        if what and what != self._said:
            log.warning("%s", what)
        self._said = what
