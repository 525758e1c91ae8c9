"""Figures that this package promises, measured: these tests run alone, one after the other."""
