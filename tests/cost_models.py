"""Models that the frameworks' plugins use today, and what their providers publish.

Names are those of the installed LiveKit plugins and Pipecat services, defaults among them. Dollars
are for a million tokens (new, cached, written), a million characters, or an hour.

Read on 2026-11-25 by ourselves: OpenAI's pages of one model each, Claude Opus 4.5 on Anthropic's
page, and Cartesia's page. The other prices of language models, Groq's of speech among them, are
those that genai-prices gives with the page named here; ``via`` in ``prices.json`` says who read the
other pages.
"""

from __future__ import annotations

from typing import Any

OPENAI = "https://developers.openai.com/api/docs/pricing"
OPENAI_MODEL = "https://developers.openai.com/api/docs/models/"
AZURE_OPENAI = (
    "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/openai-service/"
)
ANTHROPIC = "https://platform.claude.com/docs/en/about-claude/pricing"
GEMINI = "https://ai.google.dev/gemini-api/docs/pricing"
GROQ = "https://console.groq.com/docs/models"
BEDROCK = "https://aws.amazon.com/bedrock/pricing/"
INFERENCE = "https://livekit.com/pricing/inference"
DEEPGRAM = "https://deepgram.com/pricing"
CARTESIA = "https://docs.cartesia.ai/pricing"
ELEVENLABS = "https://elevenlabs.io/pricing/api"
ASSEMBLYAI = "https://www.assemblyai.com/pricing"
RIME = "https://rime.ai/pricing"
AZURE = "https://azure.microsoft.com/en-us/pricing/details/cognitive-services/speech-services/"
GOOGLE_STT = "https://cloud.google.com/speech-to-text/pricing"
GOOGLE_TTS = "https://cloud.google.com/text-to-speech/pricing"
POLLY = "https://aws.amazon.com/polly/pricing/"

# provider as the framework gives it, model, new input, cached input, output, page
LANGUAGE: list[tuple[str, str, str, str, str, str]] = [
    ("api.openai.com", "gpt-4o", "2.5", "1.25", "10", OPENAI),
    ("api.openai.com", "gpt-4o-mini", "0.15", "0.075", "0.6", OPENAI),
    ("openai", "gpt-4.1", "2", "0.5", "8", OPENAI),
    ("openai", "gpt-4.1-mini", "0.4", "0.1", "1.6", OPENAI),
    ("openai", "gpt-4.1-nano", "0.1", "0.025", "0.4", OPENAI_MODEL + "gpt-4.1-nano"),
    ("api.openai.com", "gpt-5", "1.25", "0.125", "10", OPENAI),
    ("api.openai.com", "gpt-5-mini", "0.25", "0.025", "2", OPENAI_MODEL + "gpt-5-mini"),
    ("api.openai.com", "gpt-5-nano", "0.05", "0.005", "0.4", OPENAI_MODEL + "gpt-5-nano"),
    ("api.openai.com", "gpt-5.2", "1.75", "0.175", "14", OPENAI),
    ("api.openai.com", "gpt-5.4", "2.5", "0.25", "15", OPENAI),
    ("api.openai.com", "gpt-5.4-mini", "0.75", "0.075", "4.5", OPENAI),
    ("my-team.openai.azure.com", "gpt-4o", "2.5", "1.25", "10", AZURE_OPENAI),
    ("api.anthropic.com", "claude-sonnet-4-6", "3", "0.3", "15", ANTHROPIC),
    ("anthropic", "claude-haiku-4-5", "1", "0.1", "5", ANTHROPIC),
    ("anthropic", "claude-opus-4-5", "5", "0.5", "25", ANTHROPIC),
    ("Gemini", "gemini-2.5-flash", "0.3", "0.03", "2.5", GEMINI),
    ("Vertex AI", "gemini-2.5-flash-lite", "0.1", "0.01", "0.4", GEMINI),
    ("google", "models/gemini-3-flash-preview", "0.5", "0.05", "3", GEMINI),
    ("Gemini", "gemini-2.5-pro", "1.25", "0.125", "10", GEMINI),
    ("api.groq.com", "llama-3.3-70b-versatile", "0.59", "0.59", "0.79", GROQ),
    ("groq", "llama-3.1-8b-instant", "0.05", "0.05", "0.08", GROQ),
    ("aws", "us.amazon.nova-lite-v1:0", "0.06", "0.015", "0.24", BEDROCK),
    ("AWS Bedrock", "amazon.nova-pro-v1:0", "0.8", "0.2", "3.2", BEDROCK),
    ("livekit", "openai/gpt-4.1-mini", "0.4", "0.1", "1.6", INFERENCE),
    ("livekit", "openai/gpt-5.4", "5", "0.5", "22.5", INFERENCE),
    ("livekit", "google/gemini-2.5-pro", "2.5", "0.25", "15", INFERENCE),
]

# provider, model, text in, text out, audio in, audio out, page
REALTIME: list[tuple[str, str, str, str, str, str, str]] = [
    ("api.openai.com", "gpt-realtime", "4", "16", "32", "64", OPENAI),
    ("openai", "gpt-realtime-mini", "0.6", "2.4", "10", "20", OPENAI),
    (
        "openai",
        "gpt-4o-realtime-preview",
        "5",
        "20",
        "40",
        "80",
        OPENAI_MODEL + "gpt-4o-realtime-preview",
    ),
    (
        "openai",
        "gpt-4o-mini-realtime-preview",
        "0.6",
        "2.4",
        "10",
        "20",
        OPENAI_MODEL + "gpt-4o-mini-realtime-preview",
    ),
    ("Gemini", "gemini-live-2.5-flash", "0.5", "2", "3", "12", GEMINI),
    ("Amazon", "amazon.nova-sonic-v1:0", "0.06", "0.24", "3.4", "13.6", BEDROCK),
]

# provider, model, dollars for an hour of audio, page
HEARING: list[tuple[str, str, str, str]] = [
    ("Deepgram", "nova-3", "0.288", DEEPGRAM),
    ("deepgram", "nova-3-general", "0.288", DEEPGRAM),
    ("Deepgram", "nova-2-phonecall", "0.35", DEEPGRAM),
    ("Deepgram", "flux-general-en", "0.39", DEEPGRAM),
    ("pipecat.services.deepgram.flux.stt", "flux-general-multi", "0.468", DEEPGRAM),
    ("Cartesia", "ink-whisper", "0.18", CARTESIA),
    ("cartesia", "ink-2", "0.54", CARTESIA),
    ("ElevenLabs", "scribe_v2_realtime", "0.39", ELEVENLABS),
    ("AssemblyAI", "universal-3-6-pro", "0.45", ASSEMBLYAI),
    ("AssemblyAI", "universal-streaming-english", "0.15", ASSEMBLYAI),
    ("Azure STT", "unknown", "1", AZURE),
    ("Google Cloud Platform", "chirp_3", "0.96", GOOGLE_STT),
    ("openai", "gpt-realtime-whisper", "1.02", OPENAI_MODEL + "gpt-realtime-whisper"),
    ("api.openai.com", "whisper-1", "0.36", OPENAI_MODEL + "whisper-1"),
    ("groq", "whisper-large-v3-turbo", "0.04", GROQ),
    ("livekit", "deepgram/nova-3", "0.288", INFERENCE),
    ("livekit", "assemblyai/universal-streaming", "0.15", INFERENCE),
]

# provider, model, dollars for a million characters, page
SPEAKING: list[tuple[str, str, str, str]] = [
    ("Deepgram", "aura-2-andromeda-en", "30", DEEPGRAM),
    ("Deepgram", "aura-asteria-en", "15", DEEPGRAM),
    ("livekit.plugins.cartesia", "sonic-3", "50", CARTESIA),
    ("CartesiaTTSService#0", "sonic-3.6", "50", CARTESIA),
    ("ElevenLabs", "eleven_turbo_v2_5", "40", ELEVENLABS),
    ("elevenlabs", "eleven_flash_v2_5", "40", ELEVENLABS),
    ("ElevenLabs", "eleven_multilingual_v2", "80", ELEVENLABS),
    ("ElevenLabs", "eleven_v4_turbo", "40", ELEVENLABS),
    ("Rime", "coda", "50", RIME),
    ("rime", "mistv2", "30", RIME),
    ("Google Cloud Platform", "Chirp3", "30", GOOGLE_TTS),
    ("Amazon Polly", "generative", "30", POLLY),
    ("api.openai.com", "tts-1", "15", OPENAI_MODEL + "tts-1"),
    ("groq", "canopylabs/orpheus-v1-english", "22", GROQ),
    ("livekit", "cartesia/sonic-3", "50", INFERENCE),
    ("livekit", "inworld/inworld-tts-2", "25", INFERENCE),
]

# What has no price, and why not.
WITHOUT: list[tuple[dict[str, Any], str]] = [
    (
        {"type": "tts_usage", "provider": "Azure TTS", "model": "unknown", "characters_count": 9},
        "its model is not known",
    ),
    (
        {
            "type": "tts_usage",
            "provider": "openai",
            "model": "gpt-4o-mini-tts",
            "characters_count": 9,
        },
        "its price is for something else than characters_count",
    ),
    (
        {
            "type": "stt_usage",
            "provider": "openai",
            "model": "gpt-4o-transcribe",
            "audio_duration": 9,
        },
        "it is billed by input_tokens and output_tokens, which were not reported",
    ),
    (
        {"type": "stt_usage", "provider": "google", "model": "latest_long", "audio_duration": 9},
        "no published price is known",
    ),
    (
        {
            "type": "tts_usage",
            "provider": "ElevenLabs",
            "model": "eleven_multilingual_v1",
            "characters_count": 9,
        },
        "no published price is known",
    ),
    (
        {"type": "llm_usage", "provider": "openai", "model": "gpt-4o", "prompt_tokens": 9},
        "it is billed by input_tokens and output_tokens, which were not reported",
    ),
    (
        {"provider": "openai", "model": "gpt-4o", "input_tokens": 9},
        "its type is not known: it is llm_usage, tts_usage or stt_usage",
    ),
    (
        {"type": "llm_usage", "provider": "perplexity", "model": "sonar", "input_tokens": 9},
        "it is billed by request too, and their number was not reported",
    ),
    (
        {"type": "llm_usage", "provider": "ollama", "model": "llama3.2", "input_tokens": 9},
        "no published price is known",
    ),
    (
        {
            "type": "interruption_usage",
            "provider": "livekit",
            "model": "adaptive",
            "total_requests": 9,
        },
        "no published price is known",
    ),
    (
        {
            "type": "llm_usage",
            "provider": "openai",
            "model": "gpt-4o-audio-preview",
            "input_tokens": 9,
            "input_audio_tokens": 5,
        },
        "no published price of its input_audio_tokens is known",
    ),
]
