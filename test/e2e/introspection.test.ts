/** Opaque by choice: tokens of the demo's identity provider are asked about there, instead of being verified, so that what it revokes ends. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as openid from 'openid-client'
import { systemClock } from '../../src/core/clock.ts'
import { startIdp, type Idp } from '../../src/demo/idp/index.ts'
import { ORDERS_API_SECRET } from '../../src/demo/idp/inspect.ts'
import { makeSigningKey } from '../../src/demo/idp/keys.ts'
import { HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { GATEWAY, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { relyingParty } from '../../src/demo/idp/testing.ts'
import { ask, said, tell, testDeps, testIdentity, type TestDeps } from '../../src/identity/testing.ts'
import type { Identities } from '../../src/identity/index.ts'
import { ManualClock } from '../../src/testing/clock.ts'

let idp: Idp
let deps: TestDeps
let identities: Identities

// In a suite, so that its clock begins when it does: hooks of a file run when all tests begin.
describe('tokens that are asked about', () => {
  before(async () => {
    idp = await startIdp({ port: 0, keys: [await makeSigningKey(systemClock)] })
    deps = testDeps({ clock: new ManualClock(Date.now()) })
    writeFileSync(join(deps.folder, 'secret'), ORDERS_API_SECRET)
    const issuer = `${idp.authority}/${HOME_TENANT}/v2.0`
    identities = testIdentity(
      {
        provider: {
          kind: 'oauth2-introspection',
          issuer,
          endpoint: `${idp.authority}/${HOME_TENANT}/oauth2/v2.0/introspect`,
          auth: { clientId: ORDERS_API.clientId, clientSecret: { file: 'secret' } },
          audiences: [ORDERS_API.clientId],
          jwts: true,
        },
      },
      deps,
    )
  })
  after(async () => {
    await identities.close()
    await idp.close()
    deps.remove()
  })

  /** Lets a request to loopback come to its end. */
  async function settled(until: () => boolean): Promise<void> {
    for (let i = 0; i < 5_000 && !until(); i++) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  const { newBrowser, signIn } = relyingParty(() => idp.authority)

  test('a token is good until the provider revokes it, and a stream that is open by it ends with the next answer', async () => {
    const { config, tokens } = await signIn(newBrowser(), 'reader')
    const result = await ask(identities, tokens.access_token)
    assert.ok(result.outcome === 'verified', tell(result))
    const { verified } = result
    const { kind, scopes, evidence, appOnly } = verified.identity
    assert.deepEqual([kind, scopes, evidence.client, appOnly], ['human', ['access_as_user'], GATEWAY.clientId, false])

    deps.clock.advance(50_000)
    const first = verified.expiresAt
    verified.inUse?.()
    await settled(() => verified.expiresAt !== first)
    assert.equal(verified.expiresAt, first + 50_000)

    await openid.tokenRevocation(config, tokens.access_token)
    assert.equal(verified.revoked, false, 'nobody has told the gateway')
    deps.clock.advance(50_000)
    verified.inUse?.()
    await settled(() => verified.revoked)
    assert.equal(verified.revoked, true)
    assert.equal(await said(identities, tokens.access_token), 'inactive')
  })

  test('a refresh token is active there, and lets nobody in here', async () => {
    const { tokens } = await signIn(newBrowser(), 'reader')
    assert.equal(await said(identities, tokens.refresh_token!), 'token-type')
  })
})
