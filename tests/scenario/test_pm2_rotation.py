"""Log rotation as `./run up` sets it up, under a real PM2."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.pm2 import Pm2
from cli.rotation import NAME, PACKAGE, SETTINGS, Rotation
from config.home import Home
from tests.scenario.engine_house import needs_proc, wait_for
from tests.scenario.front_door import needs_pm2
from tests.scenario.pm2_house import Pm2House, pm2_house

pytestmark = [
    pytest.mark.timeout(120),
    needs_pm2,
    needs_proc,
    pytest.mark.skipif(not PACKAGE.exists(), reason="pm2-logrotate comes with ./run, not with pip"),
]


@pytest.fixture
def pm2(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pm2House]:
    with pm2_house(tmp_path_factory.mktemp("p") / "pm2", Home(tmp_path)) as one:
        yield one


def rotation_of(pm2: Pm2House) -> Rotation:
    return Rotation(Pm2(pm2.root))


def settings_of(pm2: Pm2House) -> dict[str, str]:
    found: dict[str, Any] = json.loads((pm2.root / "module_conf.json").read_text())
    return dict(found[NAME])


def module_of(pm2: Pm2House) -> dict[str, Any]:
    [found] = [one for one in pm2.listed() if one["name"] == NAME]
    assert found["pm2_env"]["pmx_module"] is True
    return found


def test_it_comes_with_the_daemon_and_has_the_guides_settings(pm2: Pm2House) -> None:
    assert rotation_of(pm2).prepare() == ""
    pm2("start", "/bin/sleep", "--name", "something", "--", "1000")
    said = rotation_of(pm2).keep()
    assert said == (
        "logs are rotated by pm2-logrotate (max_size 50M, retain 10, compress true, rotateInterval 00 */6 * * *)."
    )
    module = module_of(pm2)
    assert module["pm2_env"]["status"] == "online"
    assert json.loads(module["pm2_env"][NAME]) == SETTINGS
    first = module["pid"]
    assert rotation_of(pm2).prepare() == ""
    assert rotation_of(pm2).keep() == said
    assert module_of(pm2)["pid"] == first, "what runs is left alone"


def test_a_log_that_grows_is_rotated_compressed_and_old_ones_go(pm2: Pm2House) -> None:
    """With PM2's own commands, as in the guide; a later start keeps what the user set."""
    rotation_of(pm2).prepare()
    pm2("start", "/bin/sleep", "--name", "something", "--", "1000")
    for setting in ("max_size 1K", "workerInterval 1", "retain 2"):
        name, value = setting.split()
        pm2("set", f"{NAME}:{name}", value)
    log = pm2.root / "logs" / "something-out.log"
    for number in range(3):
        log.write_text(f"{number}" * 2000)
        wait_for(lambda: log.stat().st_size == 0, "the log was rotated")
    wait_for(lambda: len(rotated(log)) == 2, "the oldest went")
    assert {gzip.decompress(path.read_bytes()) for path in rotated(log)} == {b"1" * 2000, b"2" * 2000}
    rotation_of(pm2).prepare()
    rotation_of(pm2).keep()
    assert settings_of(pm2) == SETTINGS | {"max_size": "1K", "workerInterval": "1", "retain": "2"}


def rotated(log: Path) -> set[Path]:
    return set(log.parent.glob(f"{log.stem}__*.log.gz"))


def test_a_daemon_that_runs_already_gets_it_and_a_user_can_remove_it(pm2: Pm2House) -> None:
    pm2("start", "/bin/sleep", "--name", "something", "--", "1000")
    rotation = rotation_of(pm2)
    assert rotation.prepare() == ""
    assert rotation.keep().startswith("logs are rotated")
    assert module_of(pm2)["pm2_env"]["status"] == "online"
    pm2("uninstall", NAME)
    assert "was removed from this PM2" in rotation.prepare()
    assert [one["name"] for one in pm2.listed()] == ["something"]
    assert PACKAGE.is_dir(), "only the pointer went"
