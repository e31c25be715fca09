import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Identity } from '../../core/principal.ts'
import { Secret } from '../../core/secret.ts'
import { publicClient } from '../../secrets/clientauth/auth.ts'
import { ManualClock } from '../../testing/clock.ts'
import { identityOf } from '../../testing/httpdoor.ts'
import type { Issuer } from '../issuer.ts'
import { ExchangeRefused, tokenExchanger } from './exchange.ts'

const person = identityOf('tenant/olga', { issuer: 'entra' })

function world(answers: readonly (readonly [number, unknown])[], kind = 'entra') {
  const forms: URLSearchParams[] = []
  const clock = new ManualClock()
  const issuer = {
    name: 'entra',
    kind,
    signIn: { clientId: 'gateway', auth: publicClient('gateway') },
    metadata: () => Promise.resolve({ tokenEndpoint: 'https://login.example.com/token', secretIn: 'body' }),
  } as unknown as Issuer
  const fetch = ((_url: unknown, init: RequestInit) => {
    forms.push(new URLSearchParams(init.body as string))
    const [status, body] = answers[forms.length - 1] ?? [500, {}]
    return Promise.resolve(new Response(JSON.stringify(body), { status }))
  }) as typeof globalThis.fetch
  return { forms, clock, exchanger: tokenExchanger({ issuers: [issuer], fetch, clock }) }
}

const TOKEN = new Secret('header.payload.signature')
const granted = (token: string): readonly [number, unknown] => [200, { access_token: token, expires_in: 3600, token_type: 'Bearer' }]

describe('a token on behalf of somebody', () => {
  test('is asked for as Entra has it, and once for several who want it', async () => {
    const { exchanger, forms } = world([granted('theirs')])
    const all = await Promise.all([1, 2, 3].map(() => exchanger.exchange(TOKEN, person, 'cluster')))
    assert.deepEqual(
      all.map((one) => one.reveal()),
      ['theirs', 'theirs', 'theirs'],
    )
    assert.deepEqual(Object.fromEntries(forms[0]!), {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      assertion: TOKEN.reveal(),
      scope: 'cluster/.default',
      client_id: 'gateway',
    })
    assert.equal(forms.length, 1)
  })

  test('is asked for by RFC 8693 elsewhere', async () => {
    const { exchanger, forms } = world([granted('theirs')], 'oidc')
    await exchanger.exchange(TOKEN, person, 'cluster')
    assert.equal(forms[0]!.get('grant_type'), 'urn:ietf:params:oauth:grant-type:token-exchange')
    assert.equal(forms[0]!.get('audience'), 'cluster')
    assert.equal(forms[0]!.get('subject_token'), TOKEN.reveal())
  })

  test('is got anew a minute before its end, and is never one for another token, person or audience', async () => {
    const { exchanger, forms, clock } = world([granted('first'), granted('other'), granted('elsewhere'), granted('second')])
    const get = async (token: Secret, audience: string): Promise<string> => (await exchanger.exchange(token, person, audience)).reveal()
    assert.equal(await get(TOKEN, 'cluster'), 'first')
    assert.equal(await get(new Secret('header.other.signature'), 'cluster'), 'other')
    assert.equal(await get(TOKEN, 'another'), 'elsewhere')
    clock.advance(3_539_000)
    assert.equal(await get(TOKEN, 'cluster'), 'first')
    clock.advance(2_000)
    assert.equal(await get(TOKEN, 'cluster'), 'second')
    assert.equal(forms.length, 4)
  })

  for (const [name, identity] of [
    ['a workload', { ...person, appOnly: true }],
    ['whoever somebody acts for', { ...person, actor: person }],
    ['an issuer that the gateway is no client of', { ...person, issuer: 'other' }],
  ] as readonly (readonly [string, Identity])[])
    test(`is not to be had for ${name}`, async () => {
      const { exchanger, forms } = world([granted('theirs')])
      await assert.rejects(exchanger.exchange(TOKEN, identity, 'cluster'), ExchangeRefused)
      assert.equal(forms.length, 0)
    })

  for (const [name, answer, why] of [
    [
      'the provider wants the person',
      [400, { error: 'interaction_required', error_codes: [50_079], error_description: 'secret words' }],
      /^interaction_required, AADSTS50079$/,
    ],
    ['there is no token in it', [200, { token_type: 'Bearer' }], /without a token/],
    ['the token is bound to a key', [200, { access_token: 'a', token_type: 'DPoP' }], /bound to a key/],
    ['the token is none that could be sent', [200, { access_token: 'a\r\nb', token_type: 'Bearer' }], /without a token/],
  ] as const)
    test(`is refused where ${name}, and asked for again the next time`, async () => {
      const { exchanger, forms } = world([answer, granted('theirs')])
      await assert.rejects(
        exchanger.exchange(TOKEN, person, 'cluster'),
        (error) => error instanceof ExchangeRefused && why.test(error.message),
      )
      assert.equal((await exchanger.exchange(TOKEN, person, 'cluster')).reveal(), 'theirs')
      assert.equal(forms.length, 2)
    })

  test('is not refused where the provider can not be reached', async () => {
    const { exchanger } = world([[503, {}]])
    await assert.rejects(exchanger.exchange(TOKEN, person, 'cluster'), { code: 'identity/provider-unavailable' })
  })
})
