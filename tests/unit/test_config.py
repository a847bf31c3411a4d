"""The config file: the example is the documentation, and a mistake is answered with the key that is meant."""

import dataclasses
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from bot.config import Config, ConfigFault, Matrix, Store, Web, load
from domain.region import Region

EXAMPLE: Final = Path(__file__).parents[2] / "config.example.toml"
SECTIONS: Final[dict[str, Any]] = {"matrix": Matrix, "storage": Store, "web": Web, "region": Region}
MINIMAL: Final = """
[matrix]
homeserver = "http://127.0.0.1:8008"
user_id = "@wenk:localhost"
password_file = "secrets/password"
[storage]
url = "sqlite+aiosqlite:///data/wenk.db"
data_dir = "data"
keys_file = "/elsewhere/keys.json"
[region]
name = "Smallingerland"
coordinators = ["@anna:localhost"]
"""


def _written(directory: Path, text: str) -> Path:
    file = directory / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _with(section: str, line: str) -> str:
    """The minimal config with one more line, or another one for the same key."""
    key = line.partition(" ")[0]
    kept = "\n".join(one for one in MINIMAL.splitlines() if not one.startswith(f"{key} ="))
    return kept.replace(f"[{section}]", f"[{section}]\n{line}")


def _uncommented() -> dict[str, dict[str, Any]]:
    """The example with its optional keys switched on."""
    return tomllib.loads(re.sub(r"^# (?=[a-z_]+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_the_example_loads_as_it_stands(tmp_path: Path) -> None:
    config = load(_written(tmp_path, EXAMPLE.read_text(encoding="utf-8")))
    assert config.matrix.user_id == "@wenk:example.nl"
    assert config.region.coordinators == ("@coordinator:example.nl",)


def test_the_example_holds_every_key_and_no_other() -> None:
    known = {name: {field.name for field in dataclasses.fields(shape)} for name, shape in SECTIONS.items()}
    assert {name: set(keys) for name, keys in _uncommented().items()} == known


def test_the_example_asks_for_what_has_no_default_and_for_nothing_else() -> None:
    asked = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    for name, shape in SECTIONS.items():
        needed = {field.name for field in dataclasses.fields(shape) if field.default is dataclasses.MISSING}
        assert set(asked[name]) == needed


def test_the_defaults_that_the_example_shows_are_the_real_ones() -> None:
    shown = _uncommented()
    del shown["matrix"]["admin_token_file"]  # it has none, and the example says so
    for name, shape in SECTIONS.items():
        for field in dataclasses.fields(shape):
            if field.default is not dataclasses.MISSING and field.name in shown[name]:
                default = str(field.default) if isinstance(field.default, Path) else field.default
                assert shown[name][field.name] == (list(default) if isinstance(default, tuple) else default), field.name


def test_each_key_of_the_example_is_explained() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"(# )?[a-z_]+ = ", line):
            assert re.match(r"# (?![a-z_]+ = )", before), line


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    config = load(_written(tmp_path, _with("matrix", 'admin_token_file = "secrets/admin"')))
    assert config.matrix.password_file == tmp_path / "secrets/password"
    assert config.matrix.admin_token_file == tmp_path / "secrets/admin"
    assert config.storage.data_dir == tmp_path / "data"
    assert config.storage.url == f"sqlite+aiosqlite:///{tmp_path}/data/wenk.db"
    assert config.storage.keys_file == Path("/elsewhere/keys.json")
    assert config.storage.journal_file == tmp_path / "data/erased.journal"


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    config = load(_written(tmp_path, MINIMAL))
    assert config.web == Web()
    assert config.web.address == ("127.0.0.1", 8080)
    assert config.region == Region(name="Smallingerland", coordinators=("@anna:localhost",))


def test_the_address_may_be_of_version_6(tmp_path: Path) -> None:
    config = load(_written(tmp_path, MINIMAL + '[web]\nlisten = "[::1]:9000"\n'))
    assert config.web.address == ("::1", 9000)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        (_with("region", "contact_day = 10"), "[region] contact_day is not a known key; did you mean contact_days?"),
        (
            _with("matrix", 'passwordfile = "x"'),
            "[matrix] passwordfile is not a known key; did you mean password_file?",
        ),
        (_with("storage", 'datadir = "x"'), "[storage] datadir is not a known key; did you mean data_dir?"),
        (MINIMAL + "[regoin]\n", "regoin is not a known key; did you mean region?"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, text: str, near: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        load(_written(tmp_path, text))
    assert str(fault.value) == near


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("matrix", "homeserver = 8008"),
        ("matrix", 'homeserver = "localhost:8008"'),
        ("matrix", 'user_id = "wenk"'),
        ("matrix", 'user_id = "@wenk:local host"'),
        ("matrix", "password_file = 1"),
        ("storage", 'url = "sqlite:///wenk.db"'),
        ("storage", "data_dir = []"),
        ("storage", "keys_file = true"),
        ("region", "name = 1"),
        ("region", 'coordinators = "@anna:localhost"'),
        ("region", "coordinators = []"),
        ("region", 'coordinators = ["anna"]'),
        ("region", 'coordinators = ["@anna:localhost", 2]'),
        ("region", 'coordinators = ["@wenk:localhost"]'),
        ("region", 'language = "fy"'),
        ("region", 'basis = "none"'),
        ("region", 'erase_from = "later"'),
        ("region", "index_name = 1"),
        ("region", 'active_years = "2"'),
        ("region", "active_years = true"),
        ("region", "active_years = 0"),
        ("region", "active_years = 3"),
        ("region", "erase_years = 0"),
        ("region", "erase_years = 6"),
        ("region", "contact_days = 0"),
        ("region", "contact_days = 1.5"),
        ("region", "close_days = -1"),
        ("region", "notice_days = []"),
        ("region", "notice_days = [0, 3]"),
        ("region", "notice_days = [14, 3]"),
        ("region", "notice_days = 3"),
        ("region", "postpone_days = 0"),
        ("region", 'kindcheck = [" "]'),
        ("region", 'kindcheck = ["1", "2", "3", "4", "5", "6", "7"]'),
        ("region", 'leaflet_text = [" "]'),
        ("region", 'leaflet_text = ["1", "2", "3", "4"]'),
        ("region", f'leaflet_text = ["{"a" * 301}"]'),
        ("region", "daily_cap = 0"),
        ("region", "card_minutes = 0"),
        ("region", 'different_organisations = "yes"'),
    ],
)
def test_a_wrong_value_names_its_section_and_key(tmp_path: Path, section: str, line: str) -> None:
    with pytest.raises(ConfigFault) as fault:
        load(_written(tmp_path, _with(section, line)))
    assert str(fault.value).startswith(f"[{section}] {line.partition(' ')[0]}")


@pytest.mark.parametrize("listen", ["8080", ":8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:0", "127.0.0.1:65536"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigFault, match=r"\[web\] listen must be host:port"):
        load(_written(tmp_path, MINIMAL + f'[web]\nlisten = "{listen}"\n'))


@pytest.mark.parametrize("section", ["matrix", "storage", "region"])
def test_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    text = re.sub(rf"\[{section}\][^[]*(\[\"[^[]*)?", "", MINIMAL)
    with pytest.raises(ConfigFault, match=rf"\[{section}\] is missing"):
        load(_written(tmp_path, text))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"^\[matrix\].*user_id"):
        load(_written(tmp_path, MINIMAL.replace('user_id = "@wenk:localhost"\n', "")))


def test_a_section_that_is_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"\[web\]"):
        load(_written(tmp_path, "web = 1\n" + MINIMAL))


def test_what_is_no_config_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigFault, match=r"copy config\.example\.toml"):
        load(tmp_path / "missing.toml")
    with pytest.raises(ConfigFault, match="is not TOML"):
        load(_written(tmp_path, "[matrix"))


def test_the_config_has_no_other_sections() -> None:
    assert {field.name for field in dataclasses.fields(Config)} == set(SECTIONS)
