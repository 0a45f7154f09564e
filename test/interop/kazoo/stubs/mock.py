"""kazoo's tests import the package `mock`; Python has carried it as unittest.mock for long."""
from unittest.mock import *  # noqa: F401,F403
