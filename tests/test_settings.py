"""Settings: found upward, the environment wins, every value knows its origin, secrets never print."""

import os
from pathlib import Path

import pytest

from outreach.errors import ConfigurationError
from outreach.settings import load_settings, without_password


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "outreach.toml").write_text('[organisation]\nname = "City of Testing"\n[relay]\nconnections = 3\n')
    return tmp_path


def test_the_file_is_found_from_a_folder_below(workspace: Path) -> None:
    below = workspace / "campaigns" / "parking"
    below.mkdir(parents=True)
    settings = load_settings(below, {})
    assert (settings.root, settings.text("organisation.name")) == (workspace, "City of Testing")


def test_the_environment_wins_and_each_value_tells_its_origin(workspace: Path) -> None:
    settings = load_settings(workspace, {"OUTREACH_RELAY_CONNECTIONS": "7"})
    assert settings.values["relay.connections"].origin == "OUTREACH_RELAY_CONNECTIONS"
    assert settings.number("relay.connections") == 7
    assert settings.values["organisation.name"].origin == str(workspace / "outreach.toml")
    assert settings.values["mode"].origin == "default"


def test_a_value_may_come_from_a_file(workspace: Path, tmp_path: Path) -> None:
    secret = tmp_path / "relay"
    secret.write_text("smtp://user:hunter2@relay.example:587\n")
    settings = load_settings(workspace, {"OUTREACH_RELAY_URL_FILE": str(secret)})
    assert settings.text("relay.url") == "smtp://user:hunter2@relay.example:587"


def test_no_secret_is_ever_shown(workspace: Path) -> None:
    environment = {
        "OUTREACH_RELAY_URL": "smtps://city:hunter2@relay.example:465",
        "OUTREACH_DATABASE_URL": "postgresql://city:hunter2@db/outreach",
    }
    shown = load_settings(workspace, environment).shown()
    assert "hunter2" not in str(shown)
    assert shown["relay.url"].value == "smtps://city:...@relay.example:465"


def test_a_password_in_a_file_that_others_can_read_is_refused(workspace: Path) -> None:
    file = workspace / "outreach.toml"
    file.write_text('[relay]\nurl = "smtp://city:hunter2@relay.example"\n')
    os.chmod(file, 0o644)
    with pytest.raises(ConfigurationError, match="OUTREACH_RELAY_URL") as caught:
        load_settings(workspace, {})
    assert "hunter2" not in str(caught.value)
    os.chmod(file, 0o600)
    assert load_settings(workspace, {}).text("relay.url").startswith("smtp://city")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[relay]\nconections = 3\n", "did you mean relay.connections"),
        ('[relay]\nconnections = "many"\n', "must be a whole number"),
        ("[organisation]\nname = 3\n", "must be text in quotes"),
        ('[organisation]\ntimezone = "Mars/Olympus"\n', "is no time zone"),
        ('mode = "test"\n', "trial or live"),
        ('[tracking]\nurl = "track.city.example"\n', "must begin with https"),
        ("[relay\n", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named(workspace: Path, text: str, message: str) -> None:
    (workspace / "outreach.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_settings(workspace, {})


def test_without_a_workspace_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="outreach init"):
        load_settings(tmp_path, {})


def test_a_relative_database_is_beside_the_settings(workspace: Path) -> None:
    assert load_settings(workspace, {}).database_url == f"sqlite:///{workspace}/data/outreach.db"


def test_an_address_with_an_at_sign_but_no_password_is_left_alone() -> None:
    assert without_password("mailto://works@city.example") == "mailto://works@city.example"
