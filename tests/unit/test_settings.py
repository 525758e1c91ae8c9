"""Settings: what beats what, how addresses are spelt, what is refused, and that no secret shows."""

from __future__ import annotations

import copy
import pickle
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.settings import ConnectionOptions, Settings

NA = "https://api.cloud.llamaindex.ai"
EU = "https://api.cloud.eu.llamaindex.ai"


def through_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def resolve(**values: Any) -> Settings:
    return Settings.resolve(**{"api_key": "llx-secret", "environ": {}, **values})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://api.cloud.llamaindex.ai", NA),
        ("api.cloud.eu.llamaindex.ai", EU),
        ("https://API.cloud.eu.LlamaIndex.ai///", EU),
        ("  api.cloud.eu.llamaindex.ai/api/v1/ ", EU),
        ("api.cloud.eu.llamaindex.ai/api/v2", EU),
        ("https://gateway.example.com/llama/api/v1", "https://gateway.example.com/llama"),
        ("gateway.example.com/Llama/", "https://gateway.example.com/Llama"),
        ("https://gateway.example.com/api", "https://gateway.example.com/api"),
        ("http://byoc.internal:8443", "http://byoc.internal:8443"),
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:8000/api/v1", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("localhost.example.com", "https://localhost.example.com"),
        ("local::memory:", "local::memory:"),
        ("local::memory:?latency=0.3-12&seed=7", "local::memory:?latency=0.3-12&seed=7"),
    ],
)
def test_addresses(written: str, meant: str) -> None:
    """Ensure addresses as people write them come to one spelling."""
    assert resolve(base_url=written).base_url == meant
    assert Settings.resolve(api_key="llx-1", environ={"LLAMA_CLOUD_BASE_URL": written}).base_url == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "   ",
        "ftp://host",
        "https://",
        "https://host:port",
        "two words.com",
        "https://host/?a=1",
        "local:",
        "local::x",
        "local::memory:x?latency=1",
    ],
)
def test_bad_addresses(written: str) -> None:
    """Ensure what is no address raises, naming the option."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(base_url=written)
    assert caught.value.option == "base_url"
    assert caught.value.hint


def test_credentials_in_an_address_are_refused_unseen() -> None:
    """Ensure a password in an address is refused and not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(base_url="https://me:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_local_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure a local folder means the same after the working directory has changed."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.resolve(base_url="local:./data", environ={"LLAMA_CLOUD_API_KEY": "llx-cloud"})
    assert settings.base_url == f"local:{tmp_path.resolve() / 'data'}"
    assert settings.is_local
    assert settings.host == settings.base_url
    assert settings.api_key is None  # the cloud's key has no business there


@pytest.mark.parametrize(
    ("values", "environ", "meant"),
    [
        ({}, {}, NA),
        ({"region": "eu"}, {}, EU),
        ({"region": "na"}, {"LLAMA_CLOUD_BASE_URL": EU}, NA),
        ({}, {"LLAMA_CLOUD_BASE_URL": EU}, EU),
        ({}, {"LLAMA_CLOUD_BASE_URL": " "}, NA),
        ({"base_url": "byoc.example.com"}, {"LLAMA_CLOUD_BASE_URL": EU}, "https://byoc.example.com"),
        ({"base_url": EU, "region": "eu"}, {}, EU),
    ],
)
def test_explicit_beats_environment(values: dict[str, Any], environ: dict[str, str], meant: str) -> None:
    """Ensure arguments win over the environment, and the environment over the default."""
    assert resolve(**values, environ=environ).base_url == meant


def test_region_and_address_that_disagree() -> None:
    """Ensure a region and an address of another place are not silently reconciled."""
    with pytest.raises(ConfigurationError, match="region='eu'"):
        resolve(base_url=NA, region="eu")
    with pytest.raises(ConfigurationError, match="'mars'"):
        resolve(region="mars")


@pytest.mark.parametrize(
    ("given", "environ", "meant"),
    [
        ("llx-a", {"LLAMA_CLOUD_API_KEY": "llx-b"}, "llx-a"),
        (None, {"LLAMA_CLOUD_API_KEY": "llx-b", "LLAMA_PARSE_API_KEY": "llx-c"}, "llx-b"),
        (None, {"LLAMA_PARSE_API_KEY": "llx-c"}, "llx-c"),
        (None, {"LLAMA_CLOUD_API_KEY": "", "LLAMA_PARSE_API_KEY": " llx-c\n"}, "llx-c"),
    ],
)
def test_api_key(given: str | None, environ: dict[str, str], meant: str) -> None:
    """Ensure the key comes from the argument, then from either variable, without stray white space."""
    key = Settings.resolve(api_key=given, environ=environ).api_key
    assert key is not None
    assert key.get_secret_value() == meant


def test_missing_key() -> None:
    """Ensure a missing key names the variable and the way without an account, but is fine with own authorisation."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.resolve(environ={}, region="eu")
    assert "api.cloud.eu.llamaindex.ai" in str(caught.value)
    assert "LLAMA_CLOUD_API_KEY" in str(caught.value)
    assert "local:" in str(caught.value)
    assert Settings.resolve(environ={}, headers={"authorization": "Bearer oidc"}).api_key is None
    assert Settings.resolve(environ={}, base_url="local::memory:").api_key is None


@pytest.mark.parametrize("key", ["llx-kéy", "llx-1\nllx-2", "llx\u200b-1"])
def test_key_that_no_header_can_carry(key: str) -> None:
    """Ensure a mangled key is refused early and not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(api_key=key)
    assert key not in str(caught.value)


def test_headers() -> None:
    """Ensure headers come from the environment one a line, and the argument's win whatever their case."""
    environ = {"LLAMA_CLOUD_CUSTOM_HEADERS": "X-Team: docs\nX-Trace: on: yes\nnonsense\n: nothing"}
    settings = resolve(headers={"x-team": "search"}, environ=environ)
    assert dict(settings.headers) == {"x-team": "search", "X-Trace": "on: yes"}
    with pytest.raises(ConfigurationError) as caught:
        resolve(headers={"X-Secret": "s3cr\u00e9t"})
    assert "X-Secret" in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_nothing_secret_shows() -> None:
    """Ensure neither text nor serialised fields of settings and options hold key, headers or proxy password."""
    options = ConnectionOptions(
        api_key="llx-secret", headers={"X-Pass": "hidden"}, proxy="http://me:hunter2@proxy", verify=False
    )
    shown = f"{options!r} {options} {options.model_dump()} {options.model_dump_json()} {options.settings()!r}"
    for secret in ("llx-secret", "hidden", "hunter2", "**********"):
        assert secret not in shown


@pytest.mark.parametrize("option", ["timeout", "requests_per_minute", "retry_budget"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_numbers_out_of_range(option: str, value: float) -> None:
    """Ensure numbers that make no sense are refused by name, in settings and in options."""
    with pytest.raises(ConfigurationError, match=option):
        resolve(**{option: value})
    with pytest.raises(ValidationError, match=option):
        ConnectionOptions(**{option: value})


def test_transport_of_the_user() -> None:
    """Ensure a transport is taken as it is, and what cannot serve as one is refused with the way out."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    assert resolve(transport=transport).transport is transport
    for wrong in (httpx.HTTPTransport(), httpx.AsyncHTTPTransport, "transport"):
        with pytest.raises(ConfigurationError, match="AsyncBaseTransport"):
            resolve(transport=wrong)
    for values in ({"verify": False}, {"proxy": "http://proxy"}, {"base_url": "local::memory:"}):
        with pytest.raises(ConfigurationError):
            resolve(transport=transport, **values)


@pytest.mark.parametrize("name", ["httpx_client", "async_httpx_client", "custom_client", "http_client"])
def test_clients_are_refused(name: str) -> None:
    """Ensure clients of the caller's own loop are refused with what to use instead."""
    with pytest.raises(ConfigurationError) as caught:
        ConnectionOptions(**{name: object()})
    assert caught.value.option == name
    for way in ("transport=", "verify=", "proxy=", "headers="):
        assert way in str(caught.value)


def test_accounts() -> None:
    """Ensure scope and patience do not part two settings of one account, while everything else does."""
    settings = resolve()
    same = [resolve(project_id="p"), resolve(organization_id="o"), resolve(timeout=5), resolve(retry_budget=0)]
    other = [
        resolve(api_key="llx-other"),
        resolve(region="eu"),
        resolve(headers={"X-Team": "docs"}),
        resolve(verify=False),
        resolve(proxy="http://proxy"),
        resolve(requests_per_minute=60),
        resolve(transport=httpx.MockTransport(lambda request: httpx.Response(200))),
    ]
    assert {settings.account} == {found.account for found in same}
    assert settings.account not in {found.account for found in other}
    assert len({settings, *same, *other}) == 12
    assert settings.scoped(project_id="p") == same[0]
    assert hash(resolve()) == hash(settings)


def test_settings_travel() -> None:
    """Ensure settings and options survive pickle and copies, with their key, and stay equal."""
    options = ConnectionOptions(api_key="llx-secret", base_url="byoc.example.com", project_id="p")
    settings = options.settings()
    assert through_pickle(settings) == settings
    for twin in (through_pickle(options), copy.copy(options), copy.deepcopy(options)):
        assert twin.settings() == settings
    assert copy.deepcopy(settings) is settings


def test_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ensure options keep what they resolved, until a field is assigned anew."""
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-first")
    options = ConnectionOptions()
    settings = options.settings()
    monkeypatch.setenv("LLAMA_CLOUD_API_KEY", "llx-second")
    assert options.settings() is settings
    assert through_pickle(options).settings() == settings
    options.region = "eu"
    assert options.settings().host == "api.cloud.eu.llamaindex.ai"


def test_what_cannot_travel_is_named() -> None:
    """Ensure pickling says which option is in the way instead of dropping it, while a deep copy shares it."""

    class Locked(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    for option, value in (("verify", ssl.create_default_context()), ("transport", Locked())):
        options = ConnectionOptions(api_key="llx-1", **{option: value})
        for travelling in (options, options.settings()):
            with pytest.raises(ConfigurationError) as caught:
                pickle.dumps(travelling)
            assert caught.value.option == option
        assert getattr(copy.deepcopy(options), option) is value
    for memory in ("local::memory:", "local::memory:?latency=1"):
        with pytest.raises(ConfigurationError, match="this process alone"):
            pickle.dumps(resolve(base_url=memory))


def test_path_as_verify(tmp_path: Path) -> None:
    """Ensure a Path serves as CA file and becomes its text."""
    assert resolve(verify=tmp_path).verify == str(tmp_path)


def test_import_is_light() -> None:
    """Ensure importing the settings brings in neither ssl, nor httpx, nor asyncio."""
    code = (
        "import sys, llama_cloud_ext.wire.settings; "
        "sys.exit(', '.join({'ssl', 'httpx', 'asyncio', 'llama_index'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
