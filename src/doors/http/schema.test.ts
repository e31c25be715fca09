import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { doorSchema, resourceSchema } from './schema.ts'

const LISTEN = { listen: [{ address: '127.0.0.1:0' }] }
const RESOURCE = { protocol: 'http', hosts: ['orders.example.com'], upstream: { url: 'http://127.0.0.1:3000' } }

function problems(schema: z.ZodType, value: unknown): readonly string[] {
  const parsed = schema.safeParse(value)
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('doors.http', () => {
  test('needs no more than an address', () => {
    const config = doorSchema.parse(LISTEN)
    assert.deepEqual(config.trustedProxies, [])
    assert.equal(config.limits.fields, 32 * 1024)
  })

  for (const everybody of ['0.0.0.0/0', '::/0', '10.0.0.0/0'])
    test(`${everybody} is not a list of proxies`, () =>
      assert.deepEqual(problems(doorSchema, { ...LISTEN, trustedProxies: [everybody] }), ['trustedProxies.0: this would believe everybody; name the proxies'])) // prettier-ignore

  test('a mistake is named', () => {
    assert.match(problems(doorSchema, { ...LISTEN, trustedProxies: ['proxy.example.com'] })[0]!, /write an address or a CIDR block/)
    assert.match(problems(doorSchema, { ...LISTEN, limits: { boddy: '1KiB' } })[0]!, /boddy/)
    assert.match(problems(doorSchema, { ...LISTEN, limits: { body: 5 } })[0]!, /expected string/i)
    assert.equal(problems(doorSchema, { listen: [] }).length, 1)
  })

  test('every limit and its default stands in the documentation', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/doors/http.md'), 'utf8')
    const { limits } = doorSchema.parse(LISTEN)
    for (const [name, value] of Object.entries(limits)) {
      const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\``))
      assert.ok(row !== undefined, `\`${name}\` is missing`)
      const written = /\| `([0-9]+)([A-Za-z]*)`/.exec(row.slice(3))
      assert.ok(written !== null, row)
      const unit = { '': 1, s: 1000, m: 60_000, h: 3_600_000, KiB: 1024, GiB: 1024 ** 3 }[written[2]!]
      assert.equal(Number(written[1]) * unit!, value, name)
    }
  })
})

describe('a resource', () => {
  test('needs no more than hosts and an upstream', () => {
    const config = resourceSchema.parse(RESOURCE)
    assert.deepEqual(
      [config.forwardAuthorization, config.websocket, config.record, config.upstream.hostField],
      [false, false, 'spool', 'request'],
    )
  })

  const wrong: readonly (readonly [more: Readonly<Record<string, unknown>>, message: RegExp])[] = [
    [{ hosts: ['Orders.example.com'] }, /write a host in lower case/],
    [{ hosts: ['https://orders.example.com'] }, /write a host/],
    [{ hosts: ['*'] }, /write a host/],
    [{ hosts: ['a.*.example.com'] }, /write a host/],
    [{ hosts: ['orders.example.com.'] }, /write a host/],
    [{ hosts: [] }, /hosts/],
    [{ upstream: { url: 'http://127.0.0.1:3000/base' } }, /without path/],
    [{ upstream: { url: 'ftp://127.0.0.1' } }, /http or https/],
    [{ upstream: { url: 'http://user:pass@127.0.0.1' } }, /without path/],
    [{ publicUrl: 'http://orders.example.com' }, /write an https URL/],
    [{ publicUrl: 'https://orders.example.com/base' }, /without path/],
    [{ websocket: { origins: ['app.example.com'] } }, /write an origin/],
    [{ websocket: { origins: ['*'] } }, /write an origin/],
    [{ cors: { origins: ['https://app.example.com/'] } }, /write an origin/],
    [{ routes: [{ path: 'orders' }] }, /write a path template/],
    [{ routes: [{ path: '/a/../b' }] }, /write a path template/],
    [{ routes: [{ path: '/**/b' }] }, /write a path template/],
    [{ failMode: 'open' }, /failMode/],
  ]
  for (const [more, message] of wrong)
    test(JSON.stringify(more), () => {
      const found = problems(resourceSchema, { ...RESOURCE, ...more })
      assert.match(found.join('\n'), message)
    })

  for (const hosts of [['*.example.com'], ['orders.example.com:8443'], ['[::1]:8080'], ['localhost']])
    test(`hosts ${hosts.join()}`, () => assert.deepEqual(problems(resourceSchema, { ...RESOURCE, hosts }), []))
})
