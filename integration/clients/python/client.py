"""openai for Python, unmodified. See ../readme.md for what goes in and out."""

import ssl

import openai

from jobs import say, serve

try:
    import httpx2 as httpx  # what openai 3 runs on
except ImportError:
    import httpx


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


def chunks(job, answer):
    if not job["stream"]:
        choice = answer.choices[0]
        say(job, "answer", text=text_of(job, choice), finish=choice.finish_reason)
        return
    for chunk in answer:
        choice = chunk.choices[0] if chunk.choices else None
        say(job, "event", text=text_of(job, choice) if choice else "", finish=choice.finish_reason if choice else None)


def events(job, answer):
    if not job["stream"]:
        say(job, "answer", text=answer.output_text, finish=answer.status)
        return
    for event in answer:
        text = event.delta if event.type == "response.output_text.delta" else ""
        error = getattr(getattr(event, "response", None), "error", None)
        say(job, "event", event=event.type, text=text, code=error.code if error else "", message=error.message if error else "")


def run(job):
    protocols = []
    with client(job, protocols) as c:
        limit = job.get("max_tokens", 64)
        request = {"model": job["model"], "stream": job["stream"], "extra_body": job.get("extra")}
        if job["api"] == "responses":
            events(job, c.responses.create(input=job["prompt"], max_output_tokens=limit, **request))
        elif job["api"] == "completion":
            chunks(job, c.completions.create(prompt=job["prompt"], max_tokens=limit, **request))
        else:
            messages = [{"role": "user", "content": job["prompt"]}]
            chunks(job, c.chat.completions.create(messages=messages, max_tokens=limit, **request))
        say(job, "done", protocol=(protocols or [""])[0])


serve(run, lambda e: (getattr(e, "code", None), getattr(e, "type", None)))
