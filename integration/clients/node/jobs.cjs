// What the clients have in common. See ../readme.md for what goes in and out.
'use strict'

const dns = require('node:dns')
const readline = require('node:readline')

let addresses = {}
const systemLookup = dns.lookup
dns.lookup = (host, ...rest) => systemLookup(addresses[host] ?? host, ...rest)

const started = { mono: process.hrtime.bigint(), wall: Date.now() * 1e6 }

exports.say = (job, kind, fields) => {
  const at = Number(process.hrtime.bigint() - started.mono) + started.wall
  process.stdout.write(JSON.stringify({ job: job.id, at: Math.round(at), kind, ...fields }) + '\n')
}

// serve runs the jobs; explain makes class, code and type of what run threw.
exports.serve = async (run, explain) => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const job = JSON.parse(line)
    addresses = job.resolve ?? {}
    try {
      await run(job)
    } catch (e) {
      const { name, code, type } = explain(e)
      exports.say(job, 'error', {
        class: name,
        message: String(e.message),
        code: String(code ?? ''),
        type: String(type ?? ''),
        status: e.status ?? 0,
      })
    }
  }
  process.exit(0)
}
