"""anthropic for Python, unmodified. See ../readme.md for what goes in and out."""

import anthropic

from jobs import say, serve


def run(job):
    with anthropic.Anthropic(
        base_url=job["base_url"].removesuffix("/v1"),  # the SDK adds it itself
        api_key=job.get("key") or "local",
        max_retries=job.get("retries", 0),
        timeout=job.get("timeout", 60),
        default_headers=job.get("headers") or None,
    ) as c:
        answer = c.messages.create(
            model=job["model"],
            stream=job["stream"],
            max_tokens=job.get("max_tokens", 64),
            messages=[{"role": "user", "content": job["prompt"]}],
            extra_body=job.get("extra"),
        )
        if not job["stream"]:
            say(job, "answer", text=answer.content[0].text, finish=answer.stop_reason)
        else:
            for event in answer:
                text = event.delta.text if event.type == "content_block_delta" else ""
                say(job, "event", event=event.type, text=text)
        say(job, "done")


def explain(e):
    body = getattr(e, "body", None)
    error = body.get("error") if isinstance(body, dict) else None
    return (error.get("code"), error.get("type")) if isinstance(error, dict) else (None, None)


serve(run, explain)
