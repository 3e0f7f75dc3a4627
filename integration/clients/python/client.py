"""openai for Python, unmodified. See ../readme.md for what goes in and out."""

import json
import socket
import ssl
import sys
import time

import openai

try:
    import httpx2 as httpx  # what openai 3 runs on
except ImportError:
    import httpx

addresses = {}
system_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    return system_getaddrinfo(addresses.get(name, host), *args, **kwargs)


socket.getaddrinfo = getaddrinfo


def say(job, kind, **fields):
    print(json.dumps({"job": job["id"], "at": time.time_ns(), "kind": kind, **fields}), flush=True)


def client(job, protocols):
    options = {}
    if job.get("ca") or job.get("http2"):
        context = ssl.create_default_context(cafile=job.get("ca"))
        hook = lambda response: protocols.append(response.http_version)
        options["http_client"] = httpx.Client(
            verify=context, http2=bool(job.get("http2")), event_hooks={"response": [hook]}
        )
    return openai.OpenAI(
        base_url=job["base_url"],
        api_key=job.get("key") or "local",
        max_retries=job.get("retries", 0),
        timeout=job.get("timeout", 60),
        default_headers=job.get("headers") or None,
        **options,
    )


def text_of(job, choice):
    if job["api"] == "completion":
        return choice.text or ""
    part = choice.delta if job["stream"] else choice.message
    return part.content or ""


def run(job):
    addresses.clear()
    addresses.update(job.get("resolve") or {})
    protocols = []
    with client(job, protocols) as c:
        request = {"model": job["model"], "stream": job["stream"], "max_tokens": job.get("max_tokens", 64)}
        request["extra_body"] = job.get("extra")
        if job["api"] == "completion":
            answer = c.completions.create(prompt=job["prompt"], **request)
        else:
            answer = c.chat.completions.create(messages=[{"role": "user", "content": job["prompt"]}], **request)
        if not job["stream"]:
            choice = answer.choices[0]
            say(job, "answer", text=text_of(job, choice), finish=choice.finish_reason)
        else:
            for chunk in answer:
                choice = chunk.choices[0] if chunk.choices else None
                say(job, "event", text=text_of(job, choice) if choice else "", finish=choice.finish_reason if choice else None)
        say(job, "done", protocol=(protocols or [""])[0])


for line in sys.stdin:
    job = json.loads(line)
    try:
        run(job)
    except Exception as e:
        kind = type(e)
        say(
            job,
            "error",
            **{
                "class": kind.__module__.split(".")[0] + "." + kind.__qualname__,
                "message": str(e),
                "code": str(getattr(e, "code", None) or ""),
                "type": str(getattr(e, "type", None) or ""),
                "status": getattr(e, "status_code", None) or 0,
            },
        )
