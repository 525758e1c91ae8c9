"""Whole journeys on local LlamaCloud with real files."""
