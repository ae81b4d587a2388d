"""What the program is told at its start."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigurationFault
from gateway.settings import OPTIONS, Settings, read_settings, settings_table

ROOT = Path(__file__).resolve().parent.parent


def faults(flags: dict[str, object], environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationFault) as refusal:
        read_settings(flags, environ)
    return refusal.value.faults


def test_without_anything_it_listens_on_loopback_and_keeps_its_files_in_the_home_directory() -> None:
    settings = read_settings({}, {})

    assert (settings.host, settings.port, settings.detect) == ("127.0.0.1", 8080, True)
    assert settings.data_dir == Path.home() / ".local/share/gateway"
    assert read_settings({}, {"XDG_DATA_HOME": "/srv/share"}).data_dir == Path("/srv/share/gateway")


def test_a_flag_goes_before_a_variable_and_a_variable_before_the_default() -> None:
    environ = {"GATEWAY_PORT": "9000", "GATEWAY_HOST": "::1"}

    assert read_settings({"port": "9001", "host": None}, environ).port == 9001
    assert read_settings({"port": None}, environ).port == 9000
    assert read_settings({}, environ).base_url == "http://[::1]:9000"


def test_a_variable_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("9002\n")

    assert read_settings({}, {"GATEWAY_PORT_FILE": str(tmp_path / "port")}).port == 9002
    assert "cannot be read" in faults({}, {"GATEWAY_PORT_FILE": str(tmp_path / "none")})[0]
    assert "keep one" in faults({}, {"GATEWAY_PORT_FILE": str(tmp_path / "port"), "GATEWAY_PORT": "1"})[0]


def test_every_option_is_a_field_of_the_settings_and_its_default_reads_back() -> None:
    plain = Settings(Path("/data"))
    for option in OPTIONS:
        assert hasattr(plain, option.name)
        if option.default and " " not in option.default and option.name != "data_dir":
            assert option.parse(option.default) == getattr(plain, option.name), option.name


def test_all_faults_come_at_once_each_with_its_source() -> None:
    found = faults(
        {"port": "80808", "log_format": "xml"},
        {
            "GATEWAY_GRACE_SECONDS": "soon",
            "GATEWAY_TRUSTED_PROXIES": "*",
            "GATEWAY_ALLOWED_HOSTS": "https://example.com",
            "GATEWAY_TRUSTED_PROXY": "10.0.0.0/8",
            "GATEWAY_ROOT_PATH": "gateway",
            "GATEWAY_DETECT": "maybe",
            "GATEWAY_MASTER_KEY": "short",
        },
    )

    assert [fault.split(":")[0] for fault in found] == [
        "--port",
        "GATEWAY_ROOT_PATH",
        "--log-format",
        "GATEWAY_DETECT",
        "GATEWAY_ALLOWED_HOSTS",
        "GATEWAY_TRUSTED_PROXIES",
        "GATEWAY_GRACE_SECONDS",
        "GATEWAY_MASTER_KEY",
        "GATEWAY_TRUSTED_PROXY",
    ]
    assert found[-1].endswith("did you mean GATEWAY_TRUSTED_PROXIES?")


@pytest.mark.parametrize("network", ["*", "0.0.0.0/0", "::/0", "10.0.0.0/33", "proxy.example.com"])
def test_proxies_are_networks_and_never_everybody(network: str) -> None:
    assert len(faults({}, {"GATEWAY_TRUSTED_PROXIES": f"127.0.0.1, {network}"})) == 1


def test_lists_are_separated_by_commas() -> None:
    settings = read_settings(
        {}, {"GATEWAY_TRUSTED_PROXIES": "10.1.2.3/8, ::1,", "GATEWAY_ALLOWED_HOSTS": "Gateway.Example.com,other"}
    )

    assert settings.trusted_proxies == ("10.0.0.0/8", "::1/128")
    assert settings.allowed_hosts == ("gateway.example.com", "other")


def test_a_master_key_in_the_environment_is_taken_out_of_it_and_never_shown() -> None:
    environ = {"GATEWAY_MASTER_KEY": "ab" * 32}

    settings = read_settings({}, environ)

    assert settings.master_key == bytes.fromhex("ab" * 32)
    assert environ == {}
    assert "ab" * 8 not in repr(settings) and repr(settings.master_key) not in repr(settings)


def test_a_systemd_credential_is_the_master_key_unless_another_is_named(tmp_path: Path) -> None:
    (tmp_path / "gateway-master-key").write_text("00" * 32)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert read_settings({}, environ).master_key_file == tmp_path / "gateway-master-key"
    assert read_settings({"master_key_file": "/else"}, environ).master_key_file == Path("/else")
    assert read_settings({}, {"CREDENTIALS_DIRECTORY": "/nowhere"}).master_key_file is None


def test_provider_keys_are_known_by_name_and_never_shown() -> None:
    settings = read_settings(
        {},
        {
            "OPENAI_API_KEY": "sk-CANARY",
            "HF_TOKEN": "t",
            "EMPTY_API_KEY": "",
            "HOME": "/root",
            "OPENAI_BASE_URL": "https://x/v1",
            "GATEWAY_API_KEY": "sk-gw-client",
        },
    )

    assert set(settings.secrets) == {"OPENAI_API_KEY", "HF_TOKEN"}
    assert settings.base_urls == {"OPENAI_BASE_URL": "https://x/v1"}
    assert "CANARY" not in repr(settings)


def test_what_client_env_holds_does_not_disturb_the_server() -> None:
    read_settings({}, {"GATEWAY_BASE_URL": "http://127.0.0.1:8080/v1", "GATEWAY_API_KEY": "sk-gw-x"})


def test_the_readme_has_every_setting() -> None:
    assert settings_table() in (ROOT / "README.md").read_text("utf-8")
