import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { readMessage, readReview } from './protobuf.ts'

/** As kubectl 1.36 sent it for `auth can-i delete pods/web-1 -n shop`. */
function written(kind: string, spec: Buffer): Buffer {
  const type = Buffer.concat([text(1, 'authorization.k8s.io/v1'), text(2, kind)])
  const object = Buffer.concat([bytes(1, Buffer.alloc(0)), bytes(2, spec), bytes(3, Buffer.from([8, 0]))])
  return Buffer.concat([Buffer.from('k8s\0', 'latin1'), bytes(1, type), bytes(2, object), text(3, ''), text(4, '')])
}

function bytes(number: number, value: Buffer): Buffer {
  const length: number[] = []
  for (let rest = value.length; ; rest >>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) break
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), value])
}

const text = (number: number, value: string): Buffer => bytes(number, Buffer.from(value))

describe('a question about access in protobuf', () => {
  test('is read as JSON would have it', () => {
    const of = Buffer.concat([
      text(1, 'shop'),
      text(2, 'delete'),
      text(3, ''),
      text(4, '*'),
      text(5, 'pods'),
      text(6, ''),
      text(7, 'web-1'),
    ])
    assert.deepEqual(readReview(written('SelfSubjectAccessReview', bytes(1, of))), {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { namespace: 'shop', verb: 'delete', version: '*', resource: 'pods', name: 'web-1' } },
    })
    assert.deepEqual(
      readReview(written('SelfSubjectAccessReview', bytes(2, Buffer.concat([text(1, '/healthz'), text(2, 'get')]))))?.['spec'],
      {
        nonResourceAttributes: { path: '/healthz', verb: 'get' },
      },
    )
    assert.deepEqual(readReview(written('SelfSubjectRulesReview', text(1, 'shop')))?.['spec'], { namespace: 'shop' })
  })

  const access = written('SelfSubjectAccessReview', bytes(1, text(2, 'get')))
  /** Field 2^32 + 1, which is the first one to Go. */
  const HIGH = Buffer.from([0x8a, 0x80, 0x80, 0x80, 0x80, 0x01])
  for (const [name, value] of [
    ['another kind', written('SubjectAccessReview', bytes(1, text(2, 'get')))],
    ['a field twice', written('SelfSubjectAccessReview', bytes(1, Buffer.concat([text(2, 'get'), text(2, 'delete')])))],
    ['both forms of a field', written('SelfSubjectAccessReview', bytes(1, Buffer.from([16, 1])))],
    ['two objects', Buffer.concat([access, bytes(2, bytes(2, bytes(1, text(2, 'delete'))))])],
    [
      'a number that others take for another',
      written('SelfSubjectAccessReview', Buffer.concat([bytes(1, text(2, 'get')), HIGH, text(0, 'x').subarray(1)])),
    ],
    ['a selector', written('SelfSubjectAccessReview', bytes(1, Buffer.concat([text(2, 'list'), bytes(8, Buffer.alloc(0))])))],
    ['no UTF-8', written('SelfSubjectAccessReview', bytes(1, bytes(2, Buffer.from([0xff]))))],
    ['no envelope', Buffer.from('{}')],
    ['half of it', written('SelfSubjectAccessReview', bytes(1, text(2, 'get'))).subarray(0, 40)],
  ] as const)
    test(`is not read where it is ${name}`, () => assert.equal(readReview(value), undefined))

  test('never throws, and takes no more than it is given', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        readMessage(Buffer.from(value))
        readReview(Buffer.concat([Buffer.from('k8s\0', 'latin1'), Buffer.from(value)]))
      }),
      { numRuns: 3000 },
    ))
})
