"""Pydantic models of what goes over the wire: requests are strict, responses are tolerant."""
