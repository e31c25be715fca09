/** What Envoy asks, as it is read: exactly what our configuration has it ask, or not at all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { CheckRequestSchema } from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'
import { headOf } from './actions.ts'

type Init = MessageInitShape<typeof CheckRequestSchema>
type Attributes = Exclude<NonNullable<Init['attributes']>, { $typeName: string }>

function asked(more: { attributes?: Partial<Attributes>; http?: object; headers?: readonly [string, string | Uint8Array][] } = {}) {
  const headers = (more.headers ?? [['accept', 'a/b']]).map(([key, value]) =>
    typeof value === 'string' ? { key, value } : { key, rawValue: value },
  )
  const http = { method: 'GET', path: '/a?b', host: 'a.example', scheme: 'http', headerMap: { headers }, ...more.http }
  const address = { address: { case: 'socketAddress' as const, value: { address: '192.0.2.7' } } }
  return create(CheckRequestSchema, {
    attributes: { source: { address }, request: { http }, contextExtensions: { resource: 'orders' }, ...more.attributes },
  } as Init)
}

describe('what an Envoy asks', () => {
  test('is read as it will be forwarded', () => {
    assert.deepEqual(
      headOf(
        asked({
          headers: [
            [':method', 'GET'],
            ['x', 'one'],
            ['x', Uint8Array.of(0xc3, 0xa9)],
          ],
        }),
      ),
      {
        resource: 'orders',
        method: 'GET',
        target: '/a?b',
        host: 'a.example',
        secure: false,
        fields: ['x', 'one', 'x', '\xc3\xa9'],
        ip: '192.0.2.7',
      },
    )
  })

  const rows: readonly (readonly [why: string, request: ReturnType<typeof asked>])[] = [
    ['there is nothing', create(CheckRequestSchema)],
    ['fields were merged', asked({ http: { headerMap: undefined, headers: { accept: 'a/b' } } })],
    ['fields come in both forms', asked({ http: { headers: { authorization: 'Bearer a' } } })],
    ['nobody says which resource it is', asked({ attributes: { contextExtensions: {} } })],
    ['the resource has no name', asked({ attributes: { contextExtensions: { resource: '' } } })],
    ['nobody says who calls', asked({ attributes: { source: {} } })],
    ['the caller is a file', asked({ attributes: { source: { address: { address: { case: 'pipe', value: { path: '/a' } } } } } })],
    ['there is no method', asked({ http: { method: '' } })],
    ['there is no path', asked({ http: { path: '' } })],
    ['the scheme is unknown', asked({ http: { scheme: 'ftp' } })],
    ['another path would be forwarded', asked({ headers: [[':path', '/other']] })],
    ['another method would be forwarded', asked({ headers: [[':method', 'DELETE']] })],
    ['another host would be forwarded', asked({ headers: [[':authority', 'b.example']] })],
  ]
  for (const [why, request] of rows) test(`is not read where ${why}`, () => assert.equal(headOf(request), undefined))

  describe('by a proxy that a mesh configures', () => {
    const merged = (headers: Readonly<Record<string, string>>, more: object = {}) =>
      asked({
        attributes: { contextExtensions: {} },
        http: { headerMap: undefined, headers: { ':method': 'GET', ':path': '/a?b', ...headers }, ...more },
      })
    const ofHost = (host: string) => (host === 'a.example' ? 'orders' : undefined)

    test('is read by its host, with fields of one name merged', () => {
      assert.deepEqual(headOf(merged({ accept: 'a/b,c/d', authorization: 'Bearer a' }), ofHost), {
        resource: 'orders',
        method: 'GET',
        target: '/a?b',
        host: 'a.example',
        secure: false,
        fields: ['accept', 'a/b,c/d', 'authorization', 'Bearer a'],
        ip: '192.0.2.7',
      })
    })

    const refused: readonly (readonly [why: string, request: ReturnType<typeof asked>])[] = [
      ['there may have been two credentials', merged({ authorization: 'Bearer a,Bearer b' })],
      ['there may have been two proofs', merged({ dpop: 'a,b' })],
      ['the host is of no resource', merged({}, { host: 'b.example' })],
      ['another path would be forwarded', merged({ ':path': '/other' })],
      ['fields come one by one', asked({ attributes: { contextExtensions: {} } })],
    ]
    for (const [why, request] of refused) test(`is not read where ${why}`, () => assert.equal(headOf(request, ofHost), undefined))
  })
})
