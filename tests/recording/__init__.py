"""Recordings, against servers on loopback that speak as the real ones do."""
