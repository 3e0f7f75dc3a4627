// openai for Node, unmodified. See ../readme.md for what goes in and out.
// usage: client.cjs FOLDER, where FOLDER/node_modules has the SDK
'use strict'

const dns = require('node:dns')
const readline = require('node:readline')
const { createRequire } = require('node:module')
const OpenAI = createRequire(process.argv[2] + '/')('openai')

let addresses = {}
const systemLookup = dns.lookup
dns.lookup = (host, ...rest) => systemLookup(addresses[host] ?? host, ...rest)

const say = (job, kind, fields) => {
  const at = Number(process.hrtime.bigint() - started.mono) + started.wall
  process.stdout.write(JSON.stringify({ job: job.id, at: Math.round(at), kind, ...fields }) + '\n')
}
const started = { mono: process.hrtime.bigint(), wall: Date.now() * 1e6 }

const textOf = (job, choice) =>
  (job.api === 'completion' ? choice.text : (job.stream ? choice.delta : choice.message).content) ?? ''

async function run(job) {
  addresses = job.resolve ?? {}
  const client = new OpenAI({
    baseURL: job.base_url,
    apiKey: job.key || 'local',
    maxRetries: job.retries ?? 0,
    timeout: (job.timeout ?? 60) * 1000,
    defaultHeaders: job.headers ?? {},
  })
  const request = { model: job.model, stream: job.stream, max_tokens: job.max_tokens ?? 64, ...job.extra }
  const answer = job.api === 'completion'
    ? await client.completions.create({ ...request, prompt: job.prompt })
    : await client.chat.completions.create({ ...request, messages: [{ role: 'user', content: job.prompt }] })
  if (!job.stream) {
    const choice = answer.choices[0]
    say(job, 'answer', { text: textOf(job, choice), finish: choice.finish_reason })
  } else {
    for await (const chunk of answer) {
      const choice = chunk.choices[0]
      say(job, 'event', { text: choice ? textOf(job, choice) : '', finish: choice?.finish_reason ?? null })
    }
  }
  say(job, 'done', {})
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const job = JSON.parse(line)
    try {
      await run(job)
    } catch (e) {
      const ours = e instanceof OpenAI.APIError
      say(job, 'error', {
        class: (ours ? 'openai.' : '') + e.constructor.name,
        message: String(e.message),
        code: String(e.code ?? ''),
        type: String(e.type ?? ''),
        status: e.status ?? 0,
      })
    }
  }
}

main().then(() => process.exit(0))
