"""How a document is extracted from: the settings of a job, apart from its schema."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.extract.legacy_config import translate
from llama_cloud_ext.wire.models.extract_configuration import ExtractSettings
from llama_cloud_ext.wire.models.settling import as_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = re.compile(r"latest|\d+(\.\d+)*|\d{4}-\d{2}-\d{2}", re.ASCII)
_PAGES = re.compile(r"\s*[1-9]\d*(\s*-\s*[1-9]\d*)?\s*", re.ASCII)


class ExtractConfig(ExtractSettings):
    """The settings of an extraction. What is left out is decided by the service.

    Names of Extract v1 (`extraction_mode`, `page_range`, `invalidate_cache`, `chunk_mode`, …) are taken too: each says
    once, in a FutureWarning, what it is called now or what v2 does instead.

    Raises:
        ConfigurationError: A setting is unknown, has a value that cannot work, or contradicts another.

    Example:
        ```python
        from llama_cloud_ext import ExtractConfig

        config = ExtractConfig(tier="agentic", cite_sources=True, target_pages="1-3")
        print(config.to_body())
        ```
    """

    model_config = ConfigDict(defer_build=False)  # or help() and completion would show no settings

    if not TYPE_CHECKING:  # type checkers keep the signature that the fields make

        def __init__(self, **settings: Any) -> None:
            given = {name: _plain(value) for name, value in translate(settings).items()}
            super().__init__(**given)
            self._check()

    @classmethod
    def of(cls, config: ExtractConfig | Mapping[str, Any] | Any | None) -> ExtractConfig:
        """Settle what was given as settings.

        Args:
            config: An `ExtractConfig`, a dict, an object of the official SDKs of either version, or None.

        Raises:
            ConfigurationError: It is no such thing, or its settings cannot work.
        """
        if isinstance(config, cls):
            return config
        return cls() if config is None else cls(**as_fields(config, "ExtractConfig"))

    def _check(self) -> None:
        problems = list(self.contradictions())
        if self.version is not None and not _VERSION.fullmatch(self.version):
            problems.append(f"version={self.version!r} is neither 'latest', nor a number like '2.0', nor a date")
        if self.target_pages is not None:
            unreadable = [part for part in self.target_pages.split(",") if not _PAGES.fullmatch(part)]
            if unreadable:
                problems.append(f"target_pages={self.target_pages!r} is not a list of pages from 1, such as '1-3,7'")
        if problems:
            raise ConfigurationError("; ".join(problems))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
