// @anthropic-ai/sdk for Node, unmodified. See ../readme.md for what goes in and out.
// usage: anthropic.cjs FOLDER, where FOLDER/node_modules has the SDK
'use strict'

const { createRequire } = require('node:module')
const Anthropic = createRequire(process.argv[2] + '/')('@anthropic-ai/sdk')
const { say, serve } = require('./jobs.cjs')

async function run(job) {
  const client = new Anthropic({
    baseURL: job.base_url.replace(/\/v1$/, ''), // the SDK adds it itself
    apiKey: job.key || 'local',
    maxRetries: job.retries ?? 0,
    timeout: (job.timeout ?? 60) * 1000,
    defaultHeaders: job.headers ?? {},
  })
  const answer = await client.messages.create({
    model: job.model,
    stream: job.stream,
    max_tokens: job.max_tokens ?? 64,
    messages: [{ role: 'user', content: job.prompt }],
    ...job.extra,
  })
  if (!job.stream) {
    say(job, 'answer', { text: answer.content[0].text, finish: answer.stop_reason })
  } else {
    for await (const event of answer) {
      say(job, 'event', { event: event.type, text: event.type === 'content_block_delta' ? event.delta.text : '' })
    }
  }
  say(job, 'done', {})
}

serve(run, (e) => ({
  name: (e instanceof Anthropic.APIError ? 'anthropic.' : '') + e.constructor.name,
  code: e.error?.error?.code,
  type: e.error?.error?.type,
}))
