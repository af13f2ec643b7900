"""What is written for PM2's log rotation, and what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.pm2 import Pm2
from cli.rotation import NAME, SETTINGS, Rotation


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "node_modules" / NAME
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "1.2.3"}')
    (folder / "app.js").touch()
    return folder


@pytest.fixture
def rotation(tmp_path: Path, package: Path) -> Rotation:
    return Rotation(Pm2(tmp_path / "pm2"), package)


def pointer(rotation: Rotation) -> Path:
    return rotation.pm2.root / "modules" / NAME / "node_modules" / NAME


def settings(rotation: Rotation) -> Path:
    return rotation.pm2.root / "module_conf.json"


def test_a_new_pm2_gets_a_pointer_and_the_settings(rotation: Rotation, package: Path) -> None:
    assert rotation.prepare() == ""
    assert json.loads(settings(rotation).read_text()) == {"module-db-v2": {NAME: {}}, NAME: SETTINGS}
    assert json.loads((pointer(rotation) / "package.json").read_text())["version"] == "1.2.3"
    assert json.dumps(str(package / "app.js")) in (pointer(rotation) / "app.js").read_text()
    assert rotation.pm2.root.stat().st_mode & 0o077 == 0


def test_other_modules_and_numbers_stay(rotation: Rotation) -> None:
    settings(rotation).parent.mkdir()
    settings(rotation).write_text('{"other": {"ratio": 0.25}, "module-db-v2": {"other": {"uid": null}}}')
    assert rotation.prepare() == ""
    found = json.loads(settings(rotation).read_text())
    assert found["other"] == {"ratio": 0.25}
    assert found["module-db-v2"] == {"other": {"uid": None}, NAME: {}}


def test_a_users_own_installation_stays(rotation: Rotation) -> None:
    pointer(rotation).mkdir(parents=True)
    (pointer(rotation) / "app.js").write_text("var fs = require('graceful-fs');")
    own = {"module-db-v2": {NAME: {}}, NAME: {"max_size": "10M"}}
    settings(rotation).write_text(json.dumps(own))
    assert rotation.prepare() == ""
    assert json.loads(settings(rotation).read_text()) == own
    assert (pointer(rotation) / "app.js").read_text() == "var fs = require('graceful-fs');"


def test_a_checkout_that_moved_is_pointed_to_again(rotation: Rotation, tmp_path: Path) -> None:
    rotation.prepare()
    settings(rotation).write_text(json.dumps({"module-db-v2": {NAME: {}}, NAME: {"retain": "3"}}))
    moved = rotation.package.rename(tmp_path / "moved")
    assert Rotation(rotation.pm2, moved).prepare() == ""
    assert str(moved / "app.js") in (pointer(rotation) / "app.js").read_text()
    assert json.loads(settings(rotation).read_text())[NAME] == {"retain": "3"}


def test_a_module_that_was_removed_stays_away(rotation: Rotation) -> None:
    settings(rotation).parent.mkdir()
    settings(rotation).write_text(json.dumps({"module-db-v2": {}, NAME: {"retain": "3"}}))
    assert "was removed from this PM2; `pm2 install" in rotation.prepare()
    assert not pointer(rotation).exists()


@pytest.mark.parametrize("content", ["[]", "{", '{"a": NaN}'])
def test_settings_that_cannot_be_read_are_said_and_left(rotation: Rotation, content: str) -> None:
    settings(rotation).parent.mkdir()
    settings(rotation).write_text(content)
    assert rotation.prepare().startswith("logs are not rotated: ")
    assert settings(rotation).read_text() == content
    assert not pointer(rotation).exists()


def test_without_the_package_it_says_who_brings_it(rotation: Rotation, tmp_path: Path) -> None:
    said = Rotation(rotation.pm2, tmp_path / "nowhere").prepare()
    assert "Call ./run, which installs it" in said
    assert not settings(rotation).exists()


def test_without_a_daemon_nothing_is_started(rotation: Rotation) -> None:
    assert rotation.keep() == "logs are not rotated: PM2 has ended."
