"""Whom the service tells about jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from llama_cloud_ext.errors import ConfigurationError
from llama_cloud_ext.wire.models.strict import StrictModel


class WebhookConfiguration(StrictModel):
    """Whom the service tells about a job.

    The signing secret and the headers are sent, and survive pickling, but are left out of the repr and of every dump.
    """

    webhook_events: (
        list[
            Literal[
                "parse.success",
                "parse.error",
                "parse.partial_success",
                "parse.pending",
                "parse.running",
                "parse.cancelled",
                "extract.success",
                "extract.error",
                "extract.partial_success",
                "extract.pending",
                "extract.cancelled",
                "batch.success",
                "batch.error",
                "batch.pending",
                "batch.running",
                "batch.cancelled",
            ]
        ]
        | None
    ) = None
    """Events to tell of; all when left out."""

    webhook_headers: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)
    """HTTP headers to send along, for example an Authorization."""

    webhook_output_format: Literal["json", "string"] | None = None
    """Whether the payload is a JSON object, or (the service's default) that object as a string."""

    webhook_signing_secret: SecretStr | None = Field(default=None, exclude=True, repr=False)
    """Signs each delivery: HMAC-SHA256 of the body in the LC-Signature header."""

    webhook_url: str | None = None
    """Public address to post to."""

    @field_validator("webhook_url")
    @classmethod
    def _is_a_web_address(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith(("https://", "http://")):
            raise ConfigurationError("must be an https:// address that the service can reach")
        return value

    def withheld(self) -> list[str]:
        """Names of the fields that are set here and that a dump leaves out."""
        return [name for name in ("webhook_headers", "webhook_signing_secret") if getattr(self, name) is not None]
