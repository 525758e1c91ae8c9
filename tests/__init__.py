"""The test suite, one folder a kind of test."""
