// openai for Node, unmodified. See ../readme.md for what goes in and out.
// usage: client.cjs FOLDER, where FOLDER/node_modules has the SDK
'use strict'

const { createRequire } = require('node:module')
const OpenAI = createRequire(process.argv[2] + '/')('openai')
const { say, serve } = require('./jobs.cjs')

const textOf = (job, choice) =>
  (job.api === 'completion' ? choice.text : (job.stream ? choice.delta : choice.message).content) ?? ''

async function chunks(job, answer) {
  if (!job.stream) {
    const choice = answer.choices[0]
    say(job, 'answer', { text: textOf(job, choice), finish: choice.finish_reason })
    return
  }
  for await (const chunk of answer) {
    const choice = chunk.choices[0]
    say(job, 'event', { text: choice ? textOf(job, choice) : '', finish: choice?.finish_reason ?? null })
  }
}

async function events(job, answer) {
  if (!job.stream) {
    say(job, 'answer', { text: answer.output_text, finish: answer.status })
    return
  }
  for await (const event of answer) {
    const text = event.type === 'response.output_text.delta' ? event.delta : ''
    const { code = '', message = '' } = event.response?.error ?? {}
    say(job, 'event', { event: event.type, text, code, message })
  }
}

async function run(job) {
  const client = new OpenAI({
    baseURL: job.base_url,
    apiKey: job.key || 'local',
    maxRetries: job.retries ?? 0,
    timeout: (job.timeout ?? 60) * 1000,
    defaultHeaders: job.headers ?? {},
  })
  const limit = job.max_tokens ?? 64
  const request = { model: job.model, stream: job.stream, ...job.extra }
  if (job.api === 'responses') {
    await events(job, await client.responses.create({ ...request, max_output_tokens: limit, input: job.prompt }))
  } else if (job.api === 'completion') {
    await chunks(job, await client.completions.create({ ...request, max_tokens: limit, prompt: job.prompt }))
  } else {
    const messages = [{ role: 'user', content: job.prompt }]
    await chunks(job, await client.chat.completions.create({ ...request, max_tokens: limit, messages }))
  }
  say(job, 'done', {})
}

serve(run, (e) => ({
  name: (e instanceof OpenAI.APIError ? 'openai.' : '') + e.constructor.name,
  code: e.code,
  type: e.type,
}))
