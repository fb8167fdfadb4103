"""Loopback stand-ins for the three services hubstats crawls, written from their documented behaviour.

    from tests.servers.hub import HubServer, Model, synthetic_hub
    from tests.servers.github import GitHubServer, SourceFile, synthetic_github
    from tests.servers.civitai import CivitaiServer, synthetic_civitai
    from tests.servers.faults import FaultPlan
    from tests.servers.quota import Quota

    with HubServer(synthetic_hub(500, seed=1)) as hub:             # HF_ENDPOINT = hub.url, no limits, no faults
        ...
        assert hub.requests_by_bucket == {"api": 1, "resolvers": 1000}

    with HubServer(models, quota={"api": Quota(5, 2.0), "resolvers": Quota(30, 2.0)}) as hub:   # 2-second windows
        ...
        assert hub.sent_429 == 0 and hub.usage("resolvers").full_share >= 0.98

    with HubServer(models, faults=FaultPlan(rate=0.3, seed=7)) as hub: ...     # every third request goes wrong
    with GitHubServer(synthetic_github(), tokens={"ghp_good"}) as github: ...  # HUBSTATS_GITHUB_URL = github.url
    with CivitaiServer(synthetic_civitai(300, seed=1)) as site: ...            # HUBSTATS_CIVITAI_URL = site.url

Every server is a context manager with its own thread and event loop, and has

    url                  base URL, http://127.0.0.1:PORT, no slash at the end
    requests             list of Logged(method, path, query, headers, status, bucket, fault, at), oldest first
    requests_by_bucket   {"api": 3, ...} over all requests, refused ones included
    statuses             {200: 40, 429: 1, ...} as sent (a request that ended in a dropped connection counts as 0)
    sent_429             how many 429 (and, GitHub, rate-limit 403) answers went out, injected ones included
    faults_sent          {"503": 2, "reset": 1, ...}
    usage(bucket)        quota granted, used and refused, per fixed window
    forget()             empties the records above; windows and content stay

and can run alone, printing its URL on the first line and stopping when its standard input closes or it is killed:

    python -m tests.servers.hub --models 50000 --seed 1 --port 0
    python -m tests.servers.github --files 400 --no-quota
    python -m tests.servers.civitai --models 1000

`tests.servers.process.served("hub", "--models", "50000")` is a context manager around that: it gives `.url` and
`.stats()` (the records above as a dict, from GET /_stand_in/stats, which is neither logged nor limited).
"""
