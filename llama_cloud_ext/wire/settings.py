"""Which LlamaCloud to talk to, as whom, and how patiently.

`ConnectionOptions` holds the fields that readers and indexes inherit; `Settings` is what they come to once the
environment has been read. Explicit values beat the environment, always.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, PrivateAttr, SecretStr

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.addresses import LOCAL, MEMORY, is_memory, resolve_address

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Self

    VerifyTypes = bool | str | os.PathLike[str] | ssl.SSLContext
else:
    # Importing ssl costs milliseconds that nobody needs before the first request.
    VerifyTypes = Any

__all__ = ["ConnectionArguments", "ConnectionOptions", "Settings"]

DEFAULT_TIMEOUT = 60.0
# Long enough to sit out a restart of the service or a full minute's rate window, twice.
DEFAULT_RETRY_BUDGET = 150.0

_KEY_VARIABLES = ("LLAMA_CLOUD_API_KEY", "LLAMA_PARSE_API_KEY")
_CLIENT_NAMES = ("httpx_client", "async_httpx_client", "custom_client", "http_client")


@dataclass(frozen=True)
class Settings:
    """A resolved connection: comparable, hashable, picklable, and printable without secrets.

    Build it with `Settings.resolve`, which reads the environment for whatever is not given.

    Attributes:
        base_url: ``"https://host[/prefix]"`` without a trailing slash, ``"local:/absolute/folder"`` or
            ``"local::memory:"``.
        api_key: The key, or None for `local:` and where the user's headers authorise.
        project_id: Project that requests are scoped to; None leaves it to the key.
        organization_id: Organization that requests are scoped to.
        headers: Extra headers for every request to the service's own host.
        verify: TLS verification: True, False, a CA file or folder, or an ssl.SSLContext.
        proxy: URL of a proxy for every request.
        timeout: Seconds for connecting, and for each wait on a read or a write.
        transport: The user's own httpx.AsyncBaseTransport.
        requests_per_minute: The most requests a minute; None adapts to the service's answers.
        retry_budget: Seconds that one request may take with all its retries.
    """

    base_url: str
    api_key: SecretStr | None = field(default=None, repr=False)
    project_id: str | None = None
    organization_id: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    verify: VerifyTypes = field(default=True, repr=False)
    proxy: str | None = field(default=None, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    transport: Any = field(default=None, repr=False, hash=False)
    requests_per_minute: float | None = None
    retry_budget: float = DEFAULT_RETRY_BUDGET

    @classmethod
    def resolve(
        cls,
        *,
        api_key: SecretStr | str | None = None,
        base_url: str | None = None,
        region: Literal["na", "eu"] | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        verify: VerifyTypes = True,
        proxy: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        transport: Any = None,
        requests_per_minute: float | None = None,
        retry_budget: float = DEFAULT_RETRY_BUDGET,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Settle every value: what is given, else the environment, else the default.

        Args:
            api_key: Else ``LLAMA_CLOUD_API_KEY``, else ``LLAMA_PARSE_API_KEY``.
            base_url: Else the region's, else ``LLAMA_CLOUD_BASE_URL``, else North America. The scheme may be left out.
            region: ``"na"`` or ``"eu"``.
            project_id: Project to scope requests to.
            organization_id: Organization to scope requests to.
            headers: Extra headers; ``LLAMA_CLOUD_CUSTOM_HEADERS`` (one ``Name: value`` a line) comes below them.
            verify: TLS verification: True, False, a CA file or folder, or an ssl.SSLContext.
            proxy: URL of a proxy.
            timeout: Seconds; must be positive.
            transport: The user's own httpx.AsyncBaseTransport, which then does its own TLS and proxying.
            requests_per_minute: The most requests a minute; None adapts to the service's answers.
            retry_budget: Seconds that one request may take with all its retries; 0 never retries.
            environ: Where environment variables are read from; ``os.environ`` if None.

        Returns:
            The settled connection.

        Raises:
            ConfigurationError: A value cannot work, two contradict each other, or no API key was found.

        Example:
            >>> Settings.resolve(base_url="llamacloud.example.com/api/v1/", api_key="llx-1", environ={}).base_url
            'https://llamacloud.example.com'
        """
        environ = os.environ if environ is None else environ
        address = resolve_address(base_url, region, environ)
        is_local = address.startswith(LOCAL)
        if is_local and transport is not None:
            raise ConfigurationError(
                f"base_url={address!r} is served in this process, so that transport= would never be used",
                option="transport",
                hint="Give one of the two.",
            )
        _check_transport(transport, verify=verify, proxy=proxy)
        settled_headers = _resolve_headers(headers, environ)
        key = _resolve_key(api_key, {} if is_local else environ)
        if key is None and not is_local and not any(name.lower() == "authorization" for name, _ in settled_headers):
            raise ConfigurationError(
                f"no API key for {urlsplit(address).netloc}",
                option="api_key",
                hint="Pass api_key= or set LLAMA_CLOUD_API_KEY (keys start with llx-), "
                'or use base_url="local:./.llamacloud", which needs no account.',
            )
        return cls(
            base_url=address,
            api_key=key,
            project_id=project_id or None,
            organization_id=organization_id or None,
            headers=settled_headers,
            verify=os.fspath(verify) if isinstance(verify, os.PathLike) else verify,
            proxy=proxy or None,
            timeout=_positive("timeout", timeout),
            transport=transport,
            requests_per_minute=None
            if requests_per_minute is None
            else _positive("requests_per_minute", requests_per_minute),
            retry_budget=retry_budget if retry_budget == 0 else _positive("retry_budget", retry_budget),
        )

    @property
    def is_local(self) -> bool:
        """Whether the service runs inside this process."""
        return self.base_url.startswith(LOCAL)

    @property
    def host(self) -> str:
        """The host (and port) that is asked, or the ``local:`` address."""
        return self.base_url if self.is_local else urlsplit(self.base_url).netloc

    @property
    def account(self) -> tuple[object, ...]:
        """What decides a connection pool and its rate limit: all but the scope and the patience of one caller."""
        return (
            self.base_url,
            self.api_key,
            self.headers,
            self.verify,
            self.proxy,
            None if self.transport is None else id(self.transport),
            self.requests_per_minute,
        )

    def scoped(self, *, project_id: str | None = None, organization_id: str | None = None) -> Self:
        """The same connection for another project or organization; they share one pool and one rate limit.

        Args:
            project_id: The project, or None for the one that is set.
            organization_id: The organization, or None for the one that is set.

        Returns:
            New settings.
        """
        return replace(
            self,
            project_id=project_id or self.project_id,
            organization_id=organization_id or self.organization_id,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        if is_memory(self.base_url):
            raise ConfigurationError(
                f"{MEMORY} lives in this process alone, so that nothing that refers to it can go to another one",
                option="base_url",
                hint='Use a folder, which processes can share: base_url="local:./.llamacloud".',
            )
        refuse_unpicklable(verify=self.verify, transport=self.transport)
        return self.__dict__


if TYPE_CHECKING:
    Secret: TypeAlias = SecretStr | str
else:
    Secret = SecretStr  # which a plain string becomes


class ConnectionArguments(TypedDict, total=False):
    """The arguments of everything that talks to LlamaCloud, for classes that are no pydantic models.

    They are the fields of `ConnectionOptions`, which says what each one means.
    """

    api_key: SecretStr | str | None
    base_url: str | None
    region: Literal["na", "eu"] | None
    project_id: str | None
    organization_id: str | None
    headers: dict[str, str] | None
    verify: VerifyTypes
    proxy: str | None
    timeout: float
    transport: Any
    requests_per_minute: float | None
    retry_budget: float


class ConnectionOptions(BaseModel):
    """The fields of everything that talks to LlamaCloud; a mixin, which knows nothing of LlamaIndex.

    Example:
        >>> ConnectionOptions(base_url="local::memory:").settings().host
        'local::memory:'
    """

    api_key: Secret | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="API key; else LLAMA_CLOUD_API_KEY, else LLAMA_PARSE_API_KEY. Not needed for local: addresses.",
    )
    base_url: str | None = Field(
        default=None,
        description="Address of the service, scheme optional; else LLAMA_CLOUD_BASE_URL. "
        '"local:FOLDER" and "local::memory:" run LlamaCloud in this process.',
    )
    region: Literal["na", "eu"] | None = Field(
        default=None, description="Region of LlamaCloud, instead of base_url; keys belong to one region."
    )
    project_id: str | None = Field(default=None, description="Project that requests are scoped to.")
    organization_id: str | None = Field(default=None, description="Organization that requests are scoped to.")
    headers: dict[str, str] | None = Field(
        default=None, exclude=True, repr=False, description="Extra headers; never sent to a foreign host."
    )
    verify: VerifyTypes = Field(
        default=True,
        exclude=True,
        repr=False,
        description="TLS verification: True, False, the path of a CA file or folder, or an ssl.SSLContext.",
    )
    proxy: str | None = Field(
        default=None, exclude=True, repr=False, description="URL of a proxy for uploads, polling and downloads."
    )
    timeout: float = Field(
        default=DEFAULT_TIMEOUT,
        gt=0,
        description="Seconds for connecting and for each wait of one HTTP request; a job has its own deadline.",
    )
    transport: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An httpx.AsyncBaseTransport of your own, fresh; it does its own TLS and proxying.",
    )
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="The most requests a minute; None adapts to the service's answers."
    )
    retry_budget: float = Field(
        default=DEFAULT_RETRY_BUDGET,
        ge=0,
        description="Seconds that one request may take with all its retries; 0 never retries. "
        "While the service says that the rate is too high it may take twelve times as long.",
    )

    # The values that were resolved, and what they came to.
    _resolved: tuple[tuple[Any, ...], Settings] | None = PrivateAttr(default=None)

    if not TYPE_CHECKING:  # type checkers keep the signature that the fields make

        def __init__(self, **data: Any) -> None:
            refuse_clients(data)
            super().__init__(**data)

    def settings(self) -> Settings:
        """The connection these fields and the environment come to; the environment is read once.

        Returns:
            The settings, the same object every time until a field is assigned anew.

        Raises:
            ConfigurationError: A value cannot work, two contradict each other, or no API key was found.
        """
        given = {name: getattr(self, name) for name in ConnectionOptions.model_fields}
        values = tuple(given.values())
        if self._resolved is None or self._resolved[0] != values:
            self._resolved = (values, Settings.resolve(**given))
        return self._resolved[1]

    def __getstate__(self) -> dict[Any, Any]:
        refuse_unpicklable(verify=self.verify, transport=self.transport)
        return BaseModel.__getstate__(self)

    def __setstate__(self, state: dict[Any, Any]) -> None:
        BaseModel.__setstate__(self, state)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # A transport and a TLS context cannot be copied, and the copy is meant to use the same ones.
        memo = {} if memo is None else memo
        for shared in (self.verify, self.transport):
            memo[id(shared)] = shared
        return super().__deepcopy__(memo)


def refuse_clients(options: Mapping[str, Any]) -> None:
    """Refuse HTTP clients made for the caller's own event loop, which cannot serve the shared one.

    Args:
        options: Keyword arguments as the user gave them.

    Raises:
        ConfigurationError: One of them is a client.
    """
    for name in _CLIENT_NAMES:
        if name in options:
            raise ConfigurationError(
                f"{name}= is not taken: a client belongs to the event loop it was made on, and requests run on another",
                option=name,
                hint="Use verify=, proxy=, headers=, timeout=, or transport= with a fresh httpx.AsyncBaseTransport.",
            )


def refuse_unpicklable(**values: Any) -> None:
    """Raise for the first of the values that does not survive pickling, by its name.

    Args:
        **values: The values by option name.

    Raises:
        ConfigurationError: Names the option that is in the way.
    """
    for name, value in values.items():
        if value is None or isinstance(value, (bool, str)):
            continue
        try:
            pickle.dumps(value)
        except Exception as error:
            raise ConfigurationError(
                f"{name}= holds a {type(value).__name__}, which cannot be sent to another process",
                option=name,
                hint='Pass verify="/path/to/ca.pem" instead.'
                if name == "verify"
                else "Leave it out for worker processes.",
            ) from error


def _resolve_key(api_key: SecretStr | str | None, environ: Mapping[str, str]) -> SecretStr | None:
    given = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = (given if given is not None else "").strip()
    if not key:
        key = next((value for name in _KEY_VARIABLES if (value := environ.get(name, "").strip())), "")
    if not key:
        return None
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            "the key holds characters that no key has", option="api_key", hint="Copy it again from the dashboard."
        )
    return SecretStr(key)


def _resolve_headers(headers: Mapping[str, str] | None, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The user's headers over the environment's, in one spelling of each name."""
    merged: dict[str, tuple[str, str]] = {}
    for line in environ.get("LLAMA_CLOUD_CUSTOM_HEADERS", "").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            merged[name.strip().lower()] = (name.strip(), value.strip())
    for name, value in (headers or {}).items():
        merged[name.strip().lower()] = (name.strip(), value.strip())
    for name, value in merged.values():
        # Checked here because an HTTP client's own complaint would show the value.
        if not (name.isascii() and value.isascii() and value.isprintable() and name.isprintable()) or " " in name:
            raise ConfigurationError(
                f"the header {name!r} holds characters that headers cannot carry",
                option="headers",
                hint="Use printable ASCII on one line.",
            )
    return tuple(merged[name] for name in sorted(merged))


def _check_transport(transport: Any, *, verify: Any, proxy: str | None) -> None:
    if transport is None:
        return
    if isinstance(transport, type) or not hasattr(transport, "handle_async_request"):
        raise ConfigurationError(
            f"transport= got a {getattr(transport, '__name__', type(transport).__name__)}",
            option="transport",
            hint="Pass a fresh httpx.AsyncBaseTransport, e.g. httpx.AsyncHTTPTransport(…).",
        )
    if verify is not True or proxy:
        raise ConfigurationError(
            "a transport of your own does its own TLS and proxying: verify= and proxy= would have no effect beside it",
            option="transport",
            hint="Pass them to the transport: httpx.AsyncHTTPTransport(verify=…, proxy=…).",
        )


def _positive(option: str, value: float) -> float:
    if not value > 0:
        raise ConfigurationError(f"{option}={value!r} is not a positive number", option=option)
    return float(value)
