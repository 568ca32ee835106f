"""One name for each provider, whatever a framework calls it: a host, a module, a class, a label."""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

__all__ = ["model_name", "provider_name"]

_LABELS = {
    "amazon": "aws",
    "amazon polly": "aws",
    "amazon transcribe": "aws",
    "aws bedrock": "aws",
    "aws_nova_sonic": "aws",
    "azure stt": "azure",
    "azure tts": "azure",
    "azure-voicelive": "azure-voice-live",
    "eleven labs": "elevenlabs",
    "elevenlabs": "elevenlabs",
    "gemini": "google",
    "google cloud platform": "google",
    "grok": "xai",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "vertex ai": "google",
    "vertex ai model garden": "vertex-model-garden",
    "x-ai": "xai",
}
# The end of a host, and whose it is; the longest counts.
_HOSTS = {
    "amazonaws.com": "aws",
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepgram.com": "deepgram",
    "api.deepseek.com": "deepseek",
    "api.elevenlabs.io": "elevenlabs",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshotai",
    "api.moonshot.cn": "moonshotai",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.sambanova.ai": "sambanova",
    "api.telnyx.com": "telnyx",
    "api.together.ai": "together",
    "api.together.xyz": "together",
    "api.x.ai": "xai",
    "azure-api.net": "azure",
    "cognitiveservices.azure.com": "azure",
    "googleapis.com": "google",
    "inference.baseten.co": "baseten",
    "integrate.api.nvidia.com": "nvidia",
    "livekit.cloud": "livekit",
    "openai.azure.com": "azure",
    "openrouter.ai": "openrouter",
    "services.ai.azure.com": "azure",
}
_MODULES = re.compile(r"(?:pipecat\.services|livekit\.plugins)\.([a-z0-9_]+)")
_CLASS = re.compile(r"([A-Za-z0-9]+?)(?:Http|Flux|Realtime|Multimodal|Live)*(?:STT|TTS|LLM)Service")
# What may stand behind a class: the number of its object.
_NUMBER = re.compile(r"#\d+$")
_KNOWN_CLASSES = {"googlevertex": "google", "geminilive": "google", "gemini": "google"}


@functools.lru_cache(maxsize=256)
def provider_name(label: str) -> str:
    """The provider's name, in lower case; an empty text when it is not known.

    Args:
        label: a host such as ``api.openai.com``, a module such as ``pipecat.services.deepgram.stt``
            or ``livekit.plugins.cartesia``, a class such as ``DeepgramSTTService#0``, or a label
            such as ``AWS Bedrock``.
    """
    text = _NUMBER.sub("", label.strip())
    found = _MODULES.match(text.lower())
    if found:
        return _labelled(found[1])
    found = _CLASS.fullmatch(text)
    if found:
        return _labelled(_KNOWN_CLASSES.get(found[1].lower(), found[1]))
    if "." in text and " " not in text:
        return _owner(text)
    return _labelled(text)


def model_name(label: str) -> str:
    """The model as its provider's price list has it, in lower case; ``""`` when not known."""
    name = label.strip().lower().removeprefix("models/")
    return "" if name == "unknown" else name


def _labelled(text: str) -> str:
    name = text.lower()
    return "" if name == "unknown" else _LABELS.get(name, name)


def _owner(text: str) -> str:
    """Whose host this is; one that is nobody's stays as it is."""
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or text
    except ValueError:
        host = text
    host = host.lower()
    ends = [end for end in _HOSTS if host == end or host.endswith(f".{end}")]
    return _HOSTS[max(ends, key=len)] if ends else host
