"""What callers, agents and operators do in calls that all end well: one worker, a room for each."""

from __future__ import annotations

import time

from livekit import api

from live.caller import until
from live.stage import Scene, Stage, Told
from live.worker_process import Worker

WEATHER = "What is the weather in Paris?"
PHONE = {
    "sip.phoneNumber": "+15550100",
    "sip.trunkPhoneNumber": "+15550199",
    "sip.callID": "SCL_1",
    "sip.ruleID": "SDR_1",
    "sip.callStatus": "active",
}


async def whole(stage: Stage, worker: Worker) -> Told:
    """A question, an answer, and the caller hangs up."""
    caller = await stage.dial(worker, "whole", lines=[WEATHER])
    greeting = await caller.hears()
    await caller.say()
    answer = await caller.hears()
    await caller.hang_up()
    sounds = [greeting, *caller.said, answer]
    ended = (caller.left_at, caller.left_at)
    return {"sounds": sounds, "late": caller.late, "ended": ended}


async def deleted(stage: Stage, worker: Worker) -> Told:
    """Somebody deletes the room while the agent speaks."""
    caller = await stage.dial(worker, "deleted")
    await caller.hears_part()
    at = time.time()
    await stage.api.room.delete_room(api.DeleteRoomRequest(room="deleted"))
    await caller.is_put_out()
    return {"ended": (at, caller.left_at)}


async def nobody(stage: Stage, worker: Worker) -> Told:
    """The room is deleted before anybody came."""
    await stage.invite(worker, "nobody")
    await until(lambda: worker.note("nobody", "started"), "the agent does not wait in the room")
    await stage.api.room.delete_room(api.DeleteRoomRequest(room="nobody"))
    return {}


async def removed(stage: Stage, worker: Worker) -> Told:
    """Somebody puts the caller out of the room."""
    caller = await stage.dial(worker, "removed")
    await caller.hears()
    at = time.time()
    await stage.api.room.remove_participant(
        api.RoomParticipantIdentity(room="removed", identity="ada")
    )
    await caller.is_put_out()
    return {"ended": (at, caller.left_at)}


async def silent(stage: Stage, worker: Worker) -> Told:
    """The caller listens and hangs up."""
    caller = await stage.dial(worker, "silent")
    await caller.hears()
    await caller.hang_up()
    return {"ended": (caller.left_at, caller.left_at)}


async def mute(stage: Stage, worker: Worker) -> Told:
    """Neither of them says a word."""
    caller = await stage.dial(worker, "mute", greets=False)
    await until(lambda: worker.note("mute", "started"), "the agent does not listen")
    await caller.hang_up()
    return {}


async def guest(stage: Stage, worker: Worker) -> Told:
    """A second person looks in, and leaves before the caller asks."""
    caller = await stage.dial(worker, "guest", lines=[WEATHER])
    await caller.hears()
    guest = await stage.enter("guest", "eve", name="Eve")
    await guest.hang_up()
    await caller.say()
    await caller.hears()
    await caller.hang_up()
    return {"ended": (caller.left_at, caller.left_at)}


async def phone(stage: Stage, worker: Worker) -> Told:
    """The caller is on the telephone."""
    caller = await stage.dial(worker, "phone", sip=PHONE)
    await caller.hears()
    await caller.hang_up()
    return {"ended": (caller.left_at, caller.left_at)}


async def typed(stage: Stage, worker: Worker) -> Told:
    """The caller types a question, and hears the answer."""
    caller = await stage.dial(worker, "typed")
    await caller.hears()
    typed_at = time.time()
    await caller.write(WEATHER)
    await caller.hears()
    await caller.hang_up()
    return {"typed": typed_at, "ended": (caller.left_at, caller.left_at)}


def goodbye(room: str, how: str) -> Scene:
    """The agent ends the call, once the caller has said goodbye."""

    async def play(stage: Stage, worker: Worker) -> Told:
        caller = await stage.dial(worker, room, lines=["Bye."], hang_up=how)
        await caller.hears()
        await caller.say()
        _, silent_at = await caller.hears()
        await caller.is_alone()
        await caller.hang_up()
        return {"ended": (silent_at, caller.left_at)}

    return play


def back(room: str, *, stays: bool) -> Scene:
    """The caller leaves, and is back in the same room before it closes."""

    async def play(stage: Stage, worker: Worker) -> Told:
        caller = await stage.dial(worker, room, lines=[WEATHER], stays=stays)
        await caller.hears()
        await caller.hang_up()
        again = await stage.enter(room)
        await again.say()
        if stays:
            await again.hears()
        await again.hang_up()
        left_at = again.left_at if stays else caller.left_at
        return {"ended": (left_at, left_at)}

    return play


SCENES: dict[str, Scene] = {
    "deleted": deleted,
    "nobody": nobody,
    "removed": removed,
    "silent": silent,
    "mute": mute,
    "guest": guest,
    "phone": phone,
    "typed": typed,
    "shutdown": goodbye("shutdown", ""),
    "transferred": goodbye("transferred", "transferred"),
    "hung-up": goodbye("hung-up", "delete_room"),
    "end-call": goodbye("end-call", "EndCallTool"),
    "gone": back("gone", stays=False),
    "back": back("back", stays=True),
}
