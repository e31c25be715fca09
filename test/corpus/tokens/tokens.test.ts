import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { AuthResult } from '../../../src/core/credential.ts'
import { noMeter } from '../../../src/core/meter.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createIdentity, issuerKinds, type Identities } from '../../../src/identity/index.ts'
import type { Wiring } from '../../../src/config/schema.ts'
import { ManualClock, seededEntropy } from '../../../src/testing/clock.ts'
import { character } from '../../../src/testing/text.ts'
import { API, keyFixture, OTHER_TENANT, SERVICE_PRINCIPAL, TENANT, type KeyFixture } from '../../../src/testing/tokens.ts'
import { entraRows } from './entra.ts'
import { formRows } from './form.ts'
import { oidcRows } from './oidc.ts'
import { makeKeys, parts, publish, signToken, type Kit, type TokenRow } from './row.ts'
import { timeRows } from './times.ts'

const clock = new ManualClock()
let folder: string
/** Two providers: what one of them resembles is not the other's to judge. */
let fixtures: Record<TokenRow['to'], KeyFixture>
let kits: Record<TokenRow['to'], Kit>
let identities: Identities

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ostiary-tokens-'))
  fixtures = { entra: await keyFixture([]), oidc: await keyFixture([]) }
  kits = { entra: kitOf(fixtures.entra), oidc: kitOf(fixtures.oidc) }
  const issuers = {
    entra: issuerKinds['entra']!.schema.parse({
      kind: 'entra',
      authority: fixtures.entra.origin,
      tenants: [TENANT],
      audiences: [API],
      agents: [SERVICE_PRINCIPAL],
      claims: { teams: { type: 'list', path: ['groups'] } },
    }),
    oidc: issuerKinds['oidc']!.schema.parse({
      kind: 'oidc',
      issuer: fixtures.oidc.origin,
      audiences: ['api://orders'],
      clients: ['nightly'],
      agents: ['helper-agent'],
    }),
  } as unknown as Wiring['issuers']
  const deps = {
    clock,
    entropy: seededEntropy(),
    meter: noMeter,
    dataDir: folder,
    folder,
    log: () => undefined,
    fetch,
    sessionKey: new Secret(new Uint8Array(32)),
  }
  const sessions = { idle: 3_600_000, absolute: 43_200_000, maximum: 100 }
  identities = createIdentity({
    wiring: { issuers, sessions, outbound: {} },
    deps,
    limits: { cold: { rate: 1e6, burst: 1e6, sources: 10 } },
  })
})

after(async () => {
  await identities.close()
  for (const fixture of Object.values(fixtures)) await fixture.close()
  rmSync(folder, { recursive: true, force: true })
})

function kitOf(fixture: KeyFixture): Kit {
  const { origin } = fixture
  const keys = makeKeys(origin, OTHER_TENANT)
  publish(fixture, keys)
  return { now: clock.now(), origin, v1Issuer: (tenant) => `${origin}/sts/${tenant}/`, keys }
}

async function present(token: string): Promise<AuthResult> {
  return await identities.authenticator.authenticate(
    { kind: 'bearer', token: new Secret(token) },
    { source: '192.0.2.1', time: clock.now(), resource: 'orders' },
  )
}

async function judge(row: TokenRow): Promise<void> {
  const token = row.token(kits[row.to])
  const result = await present(token)
  if (row.expect === 'verified') {
    assert.ok(result.outcome === 'verified', `expected it to be verified: ${JSON.stringify(result)}`)
    assert.equal(result.verified.identity.issuer, row.to)
    row.holds?.(result.verified.identity)
    return
  }
  assert.equal(result.outcome, 'rejected', JSON.stringify(result.outcome))
  assert.ok(
    result.outcome === 'rejected' && row.expect.includes(result.reason),
    `${JSON.stringify(result)}, expected ${row.expect.join(' or ')}`,
  )
  // Once more, now that it is known: the answer doesn't change.
  assert.deepEqual(await present(token), result)
}

for (const [name, rows] of Object.entries({ form: formRows, times: timeRows, entra: entraRows, oidc: oidcRows })) {
  describe(`tokens, ${name}`, () => {
    // Keys that come when they are needed are not what these rows are about.
    before(async () => {
      for (const row of [entraRows[0]!, entraRows[1]!, oidcRows[0]!]) await present(row.token(kits[row.to]))
    })
    for (const row of rows) test(`${row.attack === 0 ? '' : `#${row.attack} `}${row.to}: ${row.name}`, () => judge(row))
  })
}

describe('tokens, any bytes', () => {
  const good = (): string => entraRows[0]!.token(kits.entra)

  test('no change of one character leaves a token good', async () => {
    const token = good()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+/= \n\0é'
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.nat(alphabet.length - 1), async (at, with_) => {
        const changed = token.slice(0, at) + alphabet[with_]! + token.slice(at + 1)
        fc.pre(changed !== token)
        assert.equal((await present(changed)).outcome, 'rejected')
      }),
      { numRuns: 300 },
    )
  })

  test('nothing added, cut or doubled leaves a token good', async () => {
    const token = good()
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length), fc.nat(token.length), fc.string({ maxLength: 4 }), async (from, to, between) => {
        const changed = token.slice(0, from) + between + token.slice(to)
        fc.pre(changed !== token)
        assert.equal((await present(changed)).outcome, 'rejected')
      }),
      { numRuns: 300 },
    )
  })

  test('any text is answered, and never with an identity', async () => {
    const texts = fc.oneof(
      fc.string({ unit: character, maxLength: 200 }),
      fc.array(fc.base64String({ maxLength: 40 }), { maxLength: 6 }).map((all) => all.join('.')),
    )
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        assert.equal((await present(text)).outcome, 'rejected')
      }),
      { numRuns: 300 },
    )
  })

  test('any header and payload under a good signature is answered', async () => {
    const json = fc.json({ maxDepth: 4 })
    await fc.assert(
      fc.asyncProperty(json, json, async (header, payload) => {
        assert.equal((await present(signToken(kits.entra.keys.rsa, payload, header))).outcome, 'rejected')
      }),
      { numRuns: 100 },
    )
  })

  test('any value of any claim is answered, and the subject stays who it was', async () => {
    const payload = JSON.parse(Buffer.from(parts(good())[1], 'base64url').toString()) as Record<string, unknown>
    const names = [
      ...Object.keys(payload),
      'groups',
      'idp',
      'acct',
      'xms_act_fct',
      'xms_sub_fct',
      '_claim_names',
      'hasgroups',
      '__proto__',
      'constructor',
    ]
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 3 }), async (name, value) => {
        const members = Object.entries(payload).filter(([known]) => known !== name)
        const text = JSON.stringify(Object.fromEntries(members)).replace('{', `{${JSON.stringify(name)}:${JSON.stringify(value)},`)
        const result = await present(signToken(kits.entra.keys.rsa, text))
        if (result.outcome !== 'verified') return assert.equal(result.outcome, 'rejected')
        const { identity } = result.verified
        assert.equal(identity.subject, `${TENANT}/${String(name === 'oid' ? value : payload['oid']).toLowerCase()}`)
        for (const [claim, kept] of Object.entries(identity.claims)) {
          assert.ok(!identity.unknownClaims.has(claim))
          assert.ok(['string', 'number', 'boolean'].includes(typeof kept) || Array.isArray(kept), claim)
        }
      }),
      { numRuns: 200 },
    )
  })
})

test('nothing but metadata and keys was ever asked of the provider', () => {
  const asked = Object.values(fixtures)
    .flatMap(({ hits }) => [...hits.keys()])
    .filter((path) => !/\/\.well-known\/openid-configuration$|\/keys$/.test(path) || path.includes('canary'))
  assert.deepEqual(asked, [])
})

test('thousands of bad tokens cost the provider no more than one request per set of keys', () => {
  for (const { hits } of Object.values(fixtures)) for (const [path, count] of hits) assert.ok(count <= 2, `${path}: ${count}`)
})
