"""Addresses of LlamaCloud as people write them, brought to the one spelling by which they compare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from llama_cloud_ext.errors import ConfigurationError

__all__ = ["LOCAL", "MEMORY", "REGIONS", "is_memory", "resolve_address"]

REGIONS = {"na": "https://api.cloud.llamaindex.ai", "eu": "https://api.cloud.eu.llamaindex.ai"}
LOCAL = "local:"
MEMORY = "local::memory:"

_LOOPBACK = re.compile(r"^(localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1?\])(:\d+)?(/|$)", re.IGNORECASE)
_API_SUFFIX = re.compile(r"/api/v\d+$")


def resolve_address(base_url: str | None, region: str | None, environ: Mapping[str, str]) -> str:
    """The address that an argument, a region and the environment come to, in this order.

    Args:
        base_url: The caller's address, scheme optional, or None.
        region: ``"na"``, ``"eu"`` or None.
        environ: Environment variables; ``LLAMA_CLOUD_BASE_URL`` counts where nothing else was given.

    Returns:
        ``"https://host[/prefix]"`` without a trailing slash, ``"local:/absolute/folder"`` or ``"local::memory:"``, the
        last two with the query they came with.

    Raises:
        ConfigurationError: It is no address, or address and region disagree.

    Example:
        >>> resolve_address("localhost:8000/api/v1/", None, {})
        'http://localhost:8000'
    """
    if region is not None and region not in REGIONS:
        raise ConfigurationError(f"there is no region {region!r}", option="region", hint='Use "na" or "eu".')
    if base_url is not None:
        address = _normalise(base_url, "base_url")
        if region is not None and address != REGIONS[region]:
            raise ConfigurationError(
                f"base_url={address!r} is not the address of region={region!r}",
                option="base_url",
                hint="Give one of the two.",
            )
        return address
    if region is not None:
        return REGIONS[region]
    from_environment = environ.get("LLAMA_CLOUD_BASE_URL", "").strip()
    return _normalise(from_environment, "LLAMA_CLOUD_BASE_URL") if from_environment else REGIONS["na"]


def is_memory(address: str) -> bool:
    """Whether an address means the memory of this process, with a query (of simulated trouble) or without.

    Example:
        >>> is_memory("local::memory:?latency=0.5")
        True
    """
    return address.partition("?")[0] == MEMORY


def _normalise(address: str, option: str) -> str:
    """The one spelling of an address, so that equal services compare equal."""
    address = address.strip()
    if address.startswith(LOCAL):
        return _normalise_local(address, option)
    if "://" not in address:
        address = f"{'http' if _LOOPBACK.match(address) else 'https'}://{address}"
    try:
        parts = urlsplit(address)
        known = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises for a port that is no number
    except ValueError:
        known = False
    # The address itself is not repeated: it may hold a password.
    if not known or any(character.isspace() for character in address):
        raise ConfigurationError(
            "this is no address of a service",
            option=option,
            hint='Write a host or URL such as "api.cloud.eu.llamaindex.ai", or "local:./.llamacloud".',
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            "an address must not hold credentials", option=option, hint="Pass them in headers= or api_key=."
        )
    if parts.query or parts.fragment:
        raise ConfigurationError("an address ends before '?' and '#'", option=option, hint="Leave the rest out.")
    prefix = _API_SUFFIX.sub("", parts.path.rstrip("/")).rstrip("/")
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{prefix}"


def _normalise_local(address: str, option: str) -> str:
    if is_memory(address):
        return address
    folder = address[len(LOCAL) :]
    if not folder or folder.startswith(":"):
        raise ConfigurationError(
            f"{address!r} names no folder", option=option, hint=f'Use "local:./.llamacloud" or "{MEMORY}".'
        )
    return f"{LOCAL}{Path(folder).expanduser().absolute().resolve()}"
