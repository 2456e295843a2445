"""Describe the fields of each kind of manifest that is checked, as pydantic models."""
