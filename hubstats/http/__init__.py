"""The one place that talks HTTP: quota, retries, time limits, size caps and tokens for every source.

    client = hub_client(notify)
    page = client.get("/api/models", params=[("limit", "1000")])
    page.json(), page.next_url()

`HttpClient.get` asks a `Transport` for one exchange at a time and does the rest itself, so the Hub (through
huggingface_hub's shared session) and the other sites (through requests) behave alike, and a test can hand in
a transport of its own. What it promises:

* nothing is sent that the announced quota has no place for (see `hubstats.http.quota`);
* timeouts, broken connections, 408, 425, 429 and 5xx are tried again with growing pauses, `tries` times at most;
* no request hangs: connecting, each read and the whole answer have a limit, and `close` ends every wait;
* the token goes to the origin of `base_url` only, and into no log, error or record; an answer that repeats it is
  handed over without it; of a token that may do more than read, one line says so.

Only this package imports requests and huggingface_hub, and only once a client is asked for.
"""

from hubstats.http.client import HttpClient, Rules
from hubstats.http.quota import Quota
from hubstats.http.response import Headers, Response
from hubstats.http.services import civitai_client, github_client, hub_client
from hubstats.http.transport import Broken, NotSent, Reply, TooSlow, Transport

__all__ = [
    "Broken",
    "Headers",
    "HttpClient",
    "NotSent",
    "Quota",
    "Reply",
    "Response",
    "Rules",
    "TooSlow",
    "Transport",
    "civitai_client",
    "github_client",
    "hub_client",
]
