"""Tests of hubstats. A package, so that `from tests.servers.hub import HubServer` works wherever pytest starts."""
