// Bodies to begin with, in the playground and on the empty page.

const said = (role, content, startSeconds, endSeconds) => ({ role, content, startSeconds, endSeconds });

export const VOICE = {
  call: {
    externalId: "sample-voice-1", startedAt: "2026-03-01T10:00:00Z", durationSeconds: 24.5, endedReason: "customer-ended-call",
    cost: 0.0482, customer: { number: "+15550100", name: "Ada Example" },
  },
  agent: { externalId: "support", name: "Support" },
  version: "v1",
  systemPrompt: "You help callers of a parcel service. Be brief and kind.",
  transcript: {
    turns: [
      said("assistant", "Hello, this is parcel support. How can I help?", 0.4, 3.1),
      said("user", "Where is my parcel? The number is four two seven.", 4.0, 6.8),
      said("tool", '{"name":"find_parcel","arguments":{"number":427},"result":{"at":"the depot","due":"today"}}', 7.1, 7.6),
      said("assistant", "It is at the depot and comes today between four", 8.2, 11.4),
      said("user", "Wonderful, that is all I need.", 10.9, 12.8),
      said("assistant", "Then have a lovely day!", 13.7, 15.2),
    ],
  },
  metadata: {
    zelto: {
      turns: [
        { index: 1, latency: { endOfTurn: 0.4, transcription: 0.15 } },
        { index: 3, interrupted: true, latency: { timeToFirstToken: 0.42, timeToFirstByte: 0.19, endToEnd: 1.4 } },
        { index: 5, latency: { timeToFirstToken: 0.31, timeToFirstByte: 0.17, endToEnd: 0.9 } },
      ],
    },
  },
};

const CHAT = {
  call: { externalId: "sample-chat-1", startedAt: "2026-03-01T11:00:00Z", endedReason: "customer-ended-call" },
  agent: { externalId: "support-chat", name: "Support chat" },
  transcript: { turns: [{ role: "user", content: "Do you ship to Iceland?" }, { role: "assistant", content: "We do, within six days." }] },
  metadata: { channel: "text" },
};

const WRONG = {
  call: { externalId: "sample-wrong-1", durationSeconds: -3, cost: "0.02", startedAt: "yesterday" },
  agent: { name: "No id" },
  version: "",
  transcript: { turns: [{ role: "caller", content: "Hello?" }, { role: "user" }] },
};

const DIAL = { call: { externalId: "sample-dial-1", endedReason: "customer-did-not-answer" }, agent: { externalId: "support" } };

const VAPI = {
  message: {
    type: "end-of-call-report",
    endedReason: "customer-ended-call",
    startedAt: "2026-03-01T10:00:00.000Z",
    endedAt: "2026-03-01T10:00:12.000Z",
    cost: 0.031,
    call: { id: "sample-vapi-1", assistantId: "assistant-1", customer: { number: "+15550100" } },
    assistant: { id: "assistant-1", name: "Vapi support" },
    artifact: {
      messages: [
        { role: "system", message: "Be kind.", time: 1772359200000, secondsFromStart: 0 },
        { role: "bot", message: "Hello, how can I help?", time: 1772359201000, endTime: 1772359203000, secondsFromStart: 1, duration: 2000 },
        { role: "user", message: "Never mind.", time: 1772359204000, endTime: 1772359205000, secondsFromStart: 4, duration: 1000 },
      ],
    },
  },
};

const RETELL = {
  event: "call_analyzed",
  call: {
    call_id: "sample-retell-1", agent_id: "agent_1", agent_name: "Retell support", call_type: "phone_call", call_status: "ended",
    from_number: "+15550100", to_number: "+15550199", direction: "inbound",
    start_timestamp: 1772359200000, end_timestamp: 1772359212000, duration_ms: 12000, disconnection_reason: "user_hangup",
    call_cost: { combined_cost: 3.1 },
    transcript_object: [
      { role: "agent", content: "Hello, how can I help?", words: [{ word: "Hello,", start: 0.5, end: 0.9 }, { word: "help?", start: 1.8, end: 2.2 }] },
      { role: "user", content: "Never mind.", words: [{ word: "Never", start: 3, end: 3.3 }, { word: "mind.", start: 3.4, end: 3.8 }] },
    ],
  },
};

export const SAMPLES = [
  { name: "Voice call", provider: "livekit", body: VOICE },
  { name: "Text chat", provider: "zelto", body: CHAT },
  { name: "Unconnected dial", provider: "zelto", body: DIAL },
  { name: "With violations", provider: "zelto", body: WRONG },
  { name: "Not JSON", provider: "zelto", body: '{"call": {"cost": NaN}}' },
  { name: "Vapi end-of-call-report", provider: "vapi", body: VAPI },
  { name: "Retell call_analyzed", provider: "retell", body: RETELL },
];
