import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { readMessage } from './protobuf.ts'
import { errorEvent, EventBoundary } from './protobufwatch.ts'
import { statusOf } from './status.ts'

describe('an event that says that a watch has ended', () => {
  /** By its field numbers, as `generated.proto` has them. */
  const fieldOf = (bytes: Buffer, number: number): Buffer => readMessage(bytes)!.get(number)![0] as Buffer

  test('is what Go reads, to the octet', () => {
    // Written by k8s.io/apimachinery 0.36.3: WatchEvent of a metav1.Status, its object by the serializer for protobuf.
    const byGo =
      '000000730a054552524f52126a0a686b3873000a0c0a027631120653746174757312500a060a0012001a0012074661696c7572651a2f74686520706f6c69637920686173206368616e6765642c20616e6420616c6c6f77732074686973206e6f206d6f72652209466f7262696464656e3093031a002200'
    const event = errorEvent(statusOf(403, 'the policy has changed, and allows this no more'))
    assert.equal(event.toString('hex'), byGo)
  })

  test('has its Status in it, with all of it', () => {
    const event = errorEvent(statusOf(429, 'not so fast', { name: 'a', group: 'apps', kind: 'deployments', retryAfterSeconds: 300 }))
    assert.equal(event.readUInt32BE(), event.length - 4)
    const message = event.subarray(4)
    assert.equal(fieldOf(message, 1).toString(), 'ERROR')
    const object = fieldOf(fieldOf(message, 2), 1)
    assert.equal(object.subarray(0, 4).toString('latin1'), 'k8s\0')
    const unknown = object.subarray(4)
    assert.deepEqual([fieldOf(fieldOf(unknown, 1), 1).toString(), fieldOf(fieldOf(unknown, 1), 2).toString()], ['v1', 'Status'])
    const status = readMessage(fieldOf(unknown, 2))!
    assert.deepEqual(
      [2, 3, 4].map((number) => (status.get(number)![0] as Buffer).toString()),
      ['Failure', 'not so fast', 'TooManyRequests'],
    )
    assert.equal(status.get(6)![0], 429)
    const details = readMessage(status.get(5)![0] as Buffer)!
    assert.deepEqual(
      [1, 2, 3].map((number) => (details.get(number)![0] as Buffer).toString()),
      ['a', 'apps', 'deployments'],
    )
    assert.equal(details.get(5)![0], 300)
  })
})

test('where an event ends is known however it comes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 6 }),
      fc.array(fc.nat(400)),
      fc.nat(2000),
      (events, cuts, upTo) => {
        const ends = new Set([0])
        const all = Buffer.concat(
          events.map((event) => {
            const head = Buffer.alloc(4)
            head.writeUInt32BE(event.length)
            return Buffer.concat([head, event])
          }),
        )
        let at = 0
        for (const event of events) ends.add((at += 4 + event.length))
        const end = Math.min(upTo, all.length)
        const boundary = new EventBoundary()
        let from = 0
        for (const cut of [...cuts, all.length]) {
          const to = Math.min(end, from + cut)
          boundary.feed(all.subarray(from, to))
          from = to
        }
        assert.equal(boundary.clear, ends.has(from))
      },
    ),
  )
})
