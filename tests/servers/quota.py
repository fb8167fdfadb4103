"""Fixed rate-limit windows: what a service grants, what was used of it, and what was refused.

    windows = FixedWindows({"api": Quota(500, 300.0)})
    grant = windows.take("api", caller="anonymous")
    grant.allowed, grant.left, grant.seconds        # False once 500 were taken; seconds until the next window

Two kinds of window exist among the services. The Hub's run by the clock, whether or not anyone asks
(`opens="clock"`: the first begins `phase` of a window before the first request). GitHub's open with a caller's first
request and end on a whole second, because the header that names the end has no fractions (`opens="request"`).

In tests, make windows two seconds or longer: the services' headers count in whole seconds, rounded up, so a client that
waits as told may come back a second late.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests in each window of so many seconds."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to one request for quota."""

    allowed: bool
    limit: int
    left: int
    used: int
    seconds: float
    """Until the window ends."""
    ends_at: float
    """When it ends, by the clock of the windows (epoch seconds unless a test gave another clock)."""


@dataclass(slots=True)
class Window:
    """One window of one caller. `number` counts from the first; by the clock, numbers nobody used are left out."""

    number: int
    ends_at: float
    limit: int
    used: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Quota of one bucket from the first window used to the last, both included, over all callers."""

    granted: int
    used: int
    refused: int
    windows: tuple[int, ...]
    """Requests let through in each window, in order, empty windows included."""
    full_share: float | None
    """Used / granted in all windows but each caller's last, which need not be filled; None when there is no other."""


@dataclass(slots=True)
class FixedWindows:
    """Quota per bucket and caller. Not locked: the server that owns it takes one request at a time."""

    quotas: Mapping[str, Quota]
    opens: Literal["clock", "request"] = "clock"
    phase: float = 0.0
    """With opens="clock": the part of the first window, from 0 to 1, that has gone by at the first request."""
    clock: Callable[[], float] = time.time
    history: dict[tuple[str, str], list[Window]] = field(default_factory=dict)
    started: float | None = None

    def take(self, bucket: str, caller: str, quota: Quota | None = None) -> Grant | None:
        """One request's quota; None when the bucket has no limit. `quota` overrules the bucket's for this caller."""
        quota = quota or self.quotas.get(bucket)
        if quota is None:
            return None
        window = self._window(bucket, caller, quota)
        allowed = window.used < quota.limit
        if allowed:
            window.used += 1
        else:
            window.refused += 1
        return self._grant(window, quota, allowed)

    def give_back(self, bucket: str, caller: str, quota: Quota | None = None) -> Grant | None:
        """Undo one `take` (GitHub does not count a 304)."""
        quota = quota or self.quotas.get(bucket)
        if quota is None:
            return None
        window = self._window(bucket, caller, quota)
        window.used = max(0, window.used - 1)
        return self._grant(window, quota, True)

    def look(self, bucket: str, caller: str, quota: Quota | None = None) -> Grant | None:
        """The caller's window as it stands, taking nothing."""
        quota = quota or self.quotas.get(bucket)
        return None if quota is None else self._grant(self._window(bucket, caller, quota), quota, True)

    def usage(self, bucket: str) -> Usage:
        """What the bucket granted and what became of it."""
        counts: list[int] = []
        refused = granted = full_used = full_granted = 0
        for (name, _), windows in self.history.items():
            if name != bucket:
                continue
            by_number = {window.number: window.used for window in windows}
            filled = [by_number.get(number, 0) for number in range(windows[0].number, windows[-1].number + 1)]
            counts += filled
            refused += sum(window.refused for window in windows)
            full_used += sum(filled[:-1])
            granted += windows[0].limit * len(filled)
            full_granted += windows[0].limit * (len(filled) - 1)
        return Usage(
            granted=granted,
            used=sum(counts),
            refused=refused,
            windows=tuple(counts),
            full_share=full_used / full_granted if full_granted else None,
        )

    def _window(self, bucket: str, caller: str, quota: Quota) -> Window:
        now = self.clock()
        windows = self.history.setdefault((bucket, caller), [])
        if windows and now < windows[-1].ends_at:
            return windows[-1]
        if self.opens == "clock":
            if self.started is None:
                self.started = now - self.phase * quota.seconds
            number = int((now - self.started) // quota.seconds)
            windows.append(Window(number, self.started + (number + 1) * quota.seconds, quota.limit))
        else:
            windows.append(Window(len(windows), math.ceil(now + quota.seconds), quota.limit))
        return windows[-1]

    def _grant(self, window: Window, quota: Quota, allowed: bool) -> Grant:
        left = max(0, quota.limit - window.used)
        seconds = max(0.0, window.ends_at - self.clock())
        return Grant(allowed, quota.limit, left, window.used, seconds, window.ends_at)
