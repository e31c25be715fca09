import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Wiring } from '../../config/schema.ts'
import { wiringSchema } from '../../config/schema.ts'
import { families } from '../families.ts'
import { redirectFindings, redirectsOf } from './redirects.ts'

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'

function wiring(resource: object, door?: object, issuer: object = OIDC): Wiring {
  return wiringSchema(families).parse({
    apiVersion: 'ostiary.dev/v1',
    issuers: { one: { audiences: ['orders'], signIn: { clientId: 'web' }, ...issuer } },
    resources: {
      orders: { protocol: 'http', upstream: { url: 'http://127.0.0.1:1' }, hosts: ['orders.example.com'], signIn: 'one', ...resource },
    },
    doors: door === undefined ? {} : { http: door },
  }) as unknown as Wiring
}

const OIDC = { kind: 'oidc', issuer: 'https://id.example.com' }
const ENTRA = { kind: 'entra', tenants: [TENANT] }
const tls = { cert: 'a', key: 'b' }
const urisOf = (...args: Parameters<typeof wiring>): readonly string[] => redirectsOf('one', wiring(...args)).map(({ uri }) => uri)
const problems = (...args: Parameters<typeof wiring>): readonly string[] =>
  [...redirectFindings('one', wiring(...args))].map(({ outcome, found }) => `${outcome}: ${found}`)

test('what is sent follows from the public URL, or else from hosts and listeners', () => {
  const listen = [{ address: '0.0.0.0:443', tls }, { address: '0.0.0.0:8443', tls }, { address: '0.0.0.0:80' }]
  assert.deepEqual(urisOf({}, { listen }), [
    'https://orders.example.com/.ostiary/callback/one',
    'https://orders.example.com:8443/.ostiary/callback/one',
  ])
  assert.deepEqual(urisOf({ publicUrl: 'https://public.example.com' }, { listen }), ['https://public.example.com/.ostiary/callback/one'])
  assert.deepEqual(urisOf({ hosts: ['orders.example.com:8443'] }, { listen }), ['https://orders.example.com:8443/.ostiary/callback/one'])
  assert.deepEqual(urisOf({ hosts: ['localhost'] }, { listen: [{ address: '127.0.0.1:8080' }] }), [
    'http://localhost:8080/.ostiary/callback/one',
  ])
  assert.deepEqual(
    urisOf({}, { listen: [{ address: '0.0.0.0:8080' }], trustedProxies: ['10.0.0.0/8'] }),
    ['https://orders.example.com/.ostiary/callback/one'],
    'what stands in front speaks https',
  )
  assert.deepEqual(urisOf({}), ['https://orders.example.com/.ostiary/callback/one'])
  assert.deepEqual(urisOf({ signIn: undefined }), [])
})

test('what would be refused here, or could not be registered, is wrong before anybody signs in', () => {
  assert.match(
    problems({}, { listen: [{ address: '0.0.0.0:8080' }] })[0]!,
    /^wrong: signing in at `http:\/\/orders\.example\.com:8080\/\S+` is refused: it needs https/,
  )
  const local = { listen: [{ address: '127.0.0.1:8080' }] }
  assert.match(
    problems({ hosts: ['orders.localhost'] }, local, ENTRA)[0]!,
    /^wrong: Entra ID takes no http for `orders\.localhost`, only for `localhost`/,
  )
  assert.match(problems({ hosts: ['127.0.0.1'] }, local, ENTRA)[0]!, /^wrong: .* can not be entered on the page of Entra ID/)
  assert.match(
    problems({ hosts: ['localhost'] }, local, ENTRA)[0]!,
    /^todo: people are sent back to `http:\/\/localhost:8080\/\.ostiary\/callback\/one`/,
  )
  assert.match(problems({ hosts: ['orders.localhost'] }, local)[0]!, /^todo: /, 'others take it')
  const elsewhere = { ...ENTRA, authority: 'http://127.0.0.1:8082' }
  assert.match(
    problems({ hosts: ['orders.localhost'] }, local, elsewhere)[0]!,
    /^todo: /,
    'what only looks like Entra ID has rules of its own',
  )
})
