/** Sends one row and holds what came of it against what must. */
import assert from 'node:assert/strict'
import { Client, type Response, type Target } from './client.ts'
import type { UnderTest } from './gateway.ts'
import { fold, type Recorder, type Seen, valuesOf } from './recorder.ts'
import { CLOSED, HOST, READER, request, type Row, type Step } from './row.ts'

/** Puts tokens and the port into the text of a row. */
export function fill(text: string, gateway: UnderTest, port: number): string {
  return text.replaceAll(/\{(reader|admin)\}/g, (_, role: string) => gateway.tokenFor(role as 'reader')).replaceAll('{port}', String(port))
}

export async function runRow(row: Row, gateway: UnderTest, recorder: Recorder, target: Target): Promise<void> {
  recorder.take()
  recorder.takeDefects()
  const { upstreamAnswers } = row
  recorder.answer =
    upstreamAnswers === undefined
      ? undefined
      : (seen) => ({
          bytes: typeof upstreamAnswers === 'string' ? upstreamAnswers : upstreamAnswers(seen),
          close: row.upstreamCloses === true,
        })
  const steps = stepsOf(row).map((step) => (typeof step === 'string' ? fill(step, gateway, target.port) : step))
  const [first] = steps
  const client = new Client(target, row.methods ?? [/^[A-Za-z]+/.exec(typeof first === 'string' ? first : '')?.[0] ?? 'GET'])
  try {
    for (const step of steps) {
      if (typeof step !== 'string') await client.interim(step.until)
      else if (row.pieces === undefined) await client.send(step)
      else for (let at = 0; at < step.length; at += row.pieces) await client.send(step.slice(at, at + row.pieces))
    }
    const { answers } = row.expect
    const responses = await client.responses(answers.length)
    if (row.expect.closes === true) await client.untilEnded()
    compare(answers, responses)
    row.expect.response?.(responses)
    recorder.answer = undefined
    const seen = recorder.take()
    if (row.unfinished !== true && !client.ended) await follow(client, responses.length)
    await sentinel(target, gateway)
    // The sentinel came after everything that the row has set off: what the upstream got before it is all there is.
    const all = [...seen, ...recorder.take()].filter((one) => !/^\/(orders|public)\/(follow|sentinel)-/.test(one.target))
    assert.deepEqual(recorder.takeDefects(), [], 'the upstream received something ambiguous')
    if (row.expect.upstream === 'none') {
      const reached = all.map(({ raw }) => raw)
      assert.deepEqual(reached, [], 'the upstream was reached')
    } else {
      row.expect.upstream(all)
    }
    all.forEach((one) => lawful(one, gateway))
  } finally {
    recorder.answer = undefined
    client.close()
  }
}

function stepsOf(row: Row): readonly Step[] {
  return typeof row.send === 'object' && 'length' in row.send ? row.send : [row.send]
}

function compare(answers: Row['expect']['answers'], responses: readonly Response[]): void {
  const shown = responses.map(({ status, body }) => `${status} ${body.slice(0, 200)}`).join(' | ')
  answers.forEach((allowed, index) => {
    const status = responses[index]?.status ?? CLOSED
    assert.ok(
      allowed.includes(status),
      `answer ${index + 1} is ${status === CLOSED ? 'missing' : status}, not ${allowed.join(' or ')}: ${shown}`,
    )
  })
  assert.ok(responses.length <= answers.length, `${responses.length} answers in place of ${answers.length}: ${shown}`)
}

let number = 0

/** The next request on the same connection gets its own answer: nothing of the row was left over. */
async function follow(client: Client, before: number): Promise<void> {
  const path = `/public/follow-${++number}`
  client.expect('GET')
  await client.send(request(`GET ${path} HTTP/1.1`, [HOST]))
  const after = await client.responses(before + 1)
  const answer = after[before]
  // A gateway may close a connection that it does not trust any longer.
  if (answer === undefined && client.ended) return
  assert.equal(answer?.body, `GET ${path}`, 'the next request on the connection got an answer that is not its own')
}

/** Somebody else's request gets its own answer: no connection to the upstream was poisoned. */
export async function sentinel(target: Target, gateway: UnderTest): Promise<void> {
  const path = `/orders/sentinel-${++number}`
  const client = new Client(target, ['GET'])
  try {
    await client.send(fill(request(`GET ${path} HTTP/1.1`, [HOST, READER]), gateway, target.port))
    const [answer] = await client.responses(1)
    assert.equal(answer?.body, `GET ${path}`, 'somebody else got an answer that is not their own')
  } finally {
    client.close()
  }
}

const ENDS_HERE = ['te', 'upgrade', 'keepalive', 'proxyconnection', 'proxyauthorization', 'http2settings', 'trailers']

/** What holds for every request that reaches an upstream, whatever the row. */
export function lawful(seen: Seen, gateway: UnderTest): void {
  assert.equal(valuesOf(seen, 'host').length, 1)
  assert.deepEqual(valuesOf(seen, 'authorization'), [], "the caller's credential arrived")
  for (const role of ['reader', 'admin'] as const)
    if (!seen.target.includes('access_token=')) assert.ok(!seen.raw.includes(gateway.tokenFor(role)), "the caller's token arrived")
  // A WebSocket handshake, where the resource allows one, is the only upgrade there is.
  const handshake = valuesOf(seen, 'host').join().startsWith('chat.') && valuesOf(seen, 'upgrade').join() === 'websocket'
  for (const name of handshake ? ENDS_HERE.filter((one) => one !== 'upgrade') : ENDS_HERE) {
    const found = seen.headers.filter(
      ([key]) => fold(key) === name && !(name === 'te' && seen.headers.some(([, value]) => value === 'trailers')),
    )
    assert.deepEqual(found, [], `${name} arrived`)
  }
  const connection = valuesOf(seen, 'connection').join().toLowerCase()
  assert.ok(['', 'keep-alive', 'close', ...(handshake ? ['upgrade'] : [])].includes(connection), `Connection: ${connection} arrived`)
}
