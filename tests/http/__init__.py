"""Requests and answers at the HTTP boundary, against recorded routes."""
