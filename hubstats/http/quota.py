"""Keeping to a server's request quota before it has to refuse.

A server that counts requests per window says after each answer what is left: the Hub as
`RateLimit: "api";r=12;t=55`, GitHub as `x-ratelimit-remaining: 12`. A `Gate` turns these statements into
permission to send. Any number of threads pass through it, and it holds three rules:

* Of an unknown window one request is sent alone, so that a quota used up by an earlier run is noticed.
* Never more requests are under way than the window has places for: what the server last said is left, less
  those whose answers are still to come. The last places of a window are therefore used too, only later.
* When the window is used up, all wait for the next one, and one line says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hubstats.errors import RateLimited, Stopped

HEARTBEAT = 0.5
"""Longest wait in one piece, in seconds. Polars handles Ctrl-C in a way that does not wake a waiting thread (2.1.0), so
Python sees it only when the wait ends."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What one answer said about one bucket of requests."""

    bucket: str
    remaining: int
    reset_in: float
    """Seconds until the window ends, from when the answer came."""
    limit: int | None = None
    window: float | None = None
    """Seconds a whole window lasts, when the server says so."""


class Bucket:
    """What is known of one quota at this moment. Only the gate touches it, under its lock."""

    __slots__ = ("announced", "in_flight", "known", "limit", "name", "probing", "remaining", "reset_at", "window")

    def __init__(self, name: str) -> None:
        self.name = name
        self.known = False
        self.probing = False
        self.in_flight = 0
        self.remaining: int | None = None
        """None while known: this server announces no quota."""
        self.limit: int | None = None
        self.window: float | None = None
        self.reset_at = 0.0
        self.announced = 0.0

    def learn(self, quota: Quota, now: float, margin: float, *, refused: bool) -> None:
        """Take in one answer. Answers arrive out of order, so within a window the lowest count is the true one."""
        # Servers round the end to whole seconds; of a short window that is a large part, on either side.
        window = quota.window or 100.0
        reset_at = now + quota.reset_in + margin * min(1.0, window / 10)
        slack = window * (0.5 if window >= 4 else 0.75) if quota.window else 5.0
        self.limit, self.window = quota.limit, quota.window
        if refused or not self.known or self.remaining is None or reset_at > self.reset_at + slack:
            # A refusal is obeyed as it stands, whatever was known: asking again at once would be worse.
            self.known, self.remaining, self.reset_at = True, quota.remaining, reset_at
        elif reset_at >= self.reset_at - slack:
            # An answer that was long under way overstates the time left, so the earliest end is the best one.
            self.remaining = min(self.remaining, quota.remaining)
            self.reset_at = min(self.reset_at, reset_at)
        # Otherwise it is a late answer from the window before and says nothing about this one.

    def describe(self) -> str:
        if self.limit is None:
            return f"quota '{self.name}'"
        if self.window is None:
            return f"quota of {self.limit:,} '{self.name}' requests"
        return f"quota of {self.limit:,} '{self.name}' requests per {self.window:.0f} s"


class Gate:
    """Lets requests to one host pass as its quotas allow. Thread-safe.

    `margin` seconds (less for windows under 10 s) are added to every announced end of a window, since servers
    round to whole seconds and clocks differ.
    """

    def __init__(
        self,
        name: str,
        notify: Callable[[str], None],
        *,
        longest_wait: float = 900.0,
        margin: float = 1.0,
        advice: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._notify, self._advice = name, notify, advice
        self._longest_wait, self._margin, self._clock = longest_wait, margin, clock
        self._changed = threading.Condition()
        self._buckets: dict[str, Bucket] = {}
        self._bucket_of_route: dict[str, str] = {}
        self._paused_until = 0.0
        self._pause_announced = 0.0
        self._stopped = False

    def enter(self, route: str) -> Bucket:
        """Wait until a request of this route may be sent; hand the result to `leave` or `lose`.

        Raises RateLimited when that lies further off than the longest wait, Stopped after `stop`.
        """
        with self._changed:
            while True:
                if self._stopped:
                    raise Stopped(f"{self._name}: stopped")
                bucket = self._bucket(self._bucket_of_route.get(route, route))
                now = self._clock()
                wait, said = self._wait(bucket, now)
                if wait == 0.0:
                    bucket.in_flight += 1
                    bucket.probing = bucket.probing or not bucket.known
                    return bucket
                if wait is not None and said:
                    self._announce(bucket, now, wait, said)
                self._changed.wait(HEARTBEAT if wait is None else min(wait, HEARTBEAT))

    def leave(self, bucket: Bucket, route: str, quota: Quota | None, *, refused: bool = False) -> None:
        """The answer to a request that had entered is here, with what it said about the quota.

        `refused`: it was not served for lack of quota.
        """
        with self._changed:
            probed = self._out(bucket)
            if quota is not None:
                named = self._bucket(quota.bucket)
                self._bucket_of_route[route] = quota.bucket
                named.learn(quota, self._clock(), self._margin, refused=refused)
            elif not bucket.known and probed:
                bucket.known, bucket.remaining = True, None
            elif bucket.remaining is not None:
                bucket.remaining = max(0, bucket.remaining - 1)
            self._changed.notify_all()

    def lose(self, bucket: Bucket, *, counted: bool) -> None:
        """A request that had entered brought no answer. `counted`: the server may have counted it all the same."""
        with self._changed:
            self._out(bucket)
            if counted and bucket.remaining is not None:
                bucket.remaining = max(0, bucket.remaining - 1)
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Send nothing for so long: the host asked for it (Retry-After) or refuses for an unknown reason."""
        with self._changed:
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let every waiting thread go with Stopped, now and for good."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def left(self) -> dict[str, int]:
        """Requests left in the current window, per bucket that announces a quota."""
        with self._changed:
            now = self._clock()
            return {
                bucket.name: bucket.remaining if now < bucket.reset_at else (bucket.limit or 0)
                for bucket in self._buckets.values()
                if bucket.remaining is not None
            }

    def _bucket(self, name: str) -> Bucket:
        return self._buckets.setdefault(name, Bucket(name))

    def _out(self, bucket: Bucket) -> bool:
        bucket.in_flight -= 1
        probed, bucket.probing = bucket.probing, False
        return probed

    def _wait(self, bucket: Bucket, now: float) -> tuple[float | None, str]:
        """Seconds until asking again is worth while, and what to tell the user.

        0: go. None: until an answer comes.
        """
        if now < self._paused_until:
            return self._paused_until - now, "the server asks to wait"
        if bucket.known and bucket.remaining is not None and now >= bucket.reset_at:
            bucket.known = False
        if not bucket.known:
            return (None if bucket.probing else 0.0), ""
        if bucket.remaining is None or bucket.remaining > bucket.in_flight:
            return 0.0, ""
        used_up = f"{bucket.describe()} used up" if bucket.remaining == 0 else ""
        return bucket.reset_at - now, used_up

    def _announce(self, bucket: Bucket, now: float, wait: float, said: str) -> None:
        if wait > self._longest_wait:
            raise RateLimited(
                f"{self._name}: {said}; the next window is {wait:.0f} s away, longer than we wait"
                f" ({self._longest_wait:.0f} s); run it again then to go on{self._advice}",
                wait_seconds=wait,
            )
        until = now + wait
        if until > max(bucket.announced, self._pause_announced) + 1.0:
            bucket.announced = until
            if now < self._paused_until:
                self._pause_announced = until
            self._notify(f"{self._name}: {said}; going on in {wait:.0f} s")
