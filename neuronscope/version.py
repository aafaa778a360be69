"""The version, where every floor can see it."""

VERSION = "0.1.0"
