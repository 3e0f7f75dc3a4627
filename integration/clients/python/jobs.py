"""What the clients have in common. See ../readme.md for what goes in and out."""

import json
import socket
import sys
import time

addresses = {}
system_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    return system_getaddrinfo(addresses.get(name, host), *args, **kwargs)


socket.getaddrinfo = getaddrinfo


def say(job, kind, **fields):
    print(json.dumps({"job": job["id"], "at": time.time_ns(), "kind": kind, **fields}), flush=True)


def serve(run, explain):
    """Runs the jobs; explain makes code and type of what run raised."""
    for line in sys.stdin:
        job = json.loads(line)
        addresses.clear()
        addresses.update(job.get("resolve") or {})
        try:
            run(job)
        except Exception as e:
            kind, (code, type_) = type(e), explain(e)
            say(
                job,
                "error",
                **{
                    "class": kind.__module__.split(".")[0] + "." + kind.__qualname__,
                    "message": str(e),
                    "code": str(code or ""),
                    "type": str(type_ or ""),
                    "status": getattr(e, "status_code", None) or 0,
                },
            )
