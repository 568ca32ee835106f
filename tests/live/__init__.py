"""Calls over WebRTC: a real LiveKit server, a real worker, and callers with microphones."""
