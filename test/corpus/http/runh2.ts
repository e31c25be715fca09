/** Sends one row over HTTP/2 and holds what came of it against what must. */
import assert from 'node:assert/strict'
import type { Target } from './client.ts'
import type { UnderTest } from './gateway.ts'
import { block, FLAG, frame, FRAME, H2Client, type Field } from './h2.ts'
import { RESET, type H2Row } from './h2row.ts'
import type { Recorder } from './recorder.ts'
import { fill, lawful, sentinel } from './run.ts'

export async function runH2Row(row: H2Row, gateway: UnderTest, recorder: Recorder, target: Target, plain: Target): Promise<void> {
  recorder.take()
  recorder.takeDefects()
  const client = new H2Client(target)
  try {
    send(client, row, gateway, target)
    const result = await client.done(row.name.includes('even stream') ? 2 : 1)
    const status = result.status ?? RESET
    const shown = `${status === RESET ? 'no answer' : status}, reset ${result.reset}, goaway ${client.goaway}: ${result.body.slice(0, 200)}`
    assert.ok(row.answers.includes(status), `not ${row.answers.map((one) => (one === RESET ? 'a reset' : one)).join(' or ')} but ${shown}`)
    await sentinel(plain, gateway)
    const seen = recorder.take().filter((one) => !one.target.startsWith('/orders/sentinel-'))
    assert.deepEqual(recorder.takeDefects(), [], 'the upstream received something ambiguous')
    if (row.upstream === 'none')
      assert.deepEqual(
        seen.map(({ raw }) => raw),
        [],
        'the upstream was reached',
      )
    else row.upstream(seen)
    seen.forEach((one) => lawful(one, gateway))
  } finally {
    client.close()
  }
}

function send(client: H2Client, row: H2Row, gateway: UnderTest, target: Target): void {
  if (row.frames !== undefined) return client.write(...row.frames)
  const fields = row.fields!.map(([name, value]): Field => [name, fill(value, gateway, target.port)])
  if (row.trailers === undefined) return client.request(1, fields, row.body)
  client.write(
    frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, block(fields)),
    frame(FRAME.DATA, 0, 1, Buffer.from(row.body ?? '', 'latin1')),
    frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 1, block(row.trailers)),
  )
}

/** A request on a connection of its own, with the headers of an ordinary client. */
export function plainRequest(path: string, gateway: UnderTest): readonly Field[] {
  return [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'orders.localhost'],
    [':path', path],
    ['authorization', `Bearer ${gateway.tokenFor('reader')}`],
  ]
}
