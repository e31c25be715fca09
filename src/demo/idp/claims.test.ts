import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import { ACCOUNTS, AGENT_BLUEPRINT, AGENT_IDENTITY, findAccount, HOME_TENANT, PARTNER_TENANT } from './accounts.ts'
import { KeyRing, type SigningKey } from './keys.ts'
import { FAULTY_SHAPES, mint, type MintOptions } from './mint.ts'
import { generateKeyPairSync, verify, createPublicKey } from 'node:crypto'
import { ORDERS_API, ORDERS_V1_API } from './registrations.ts'

const AUTHORITY = 'http://127.0.0.1:8082'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key: SigningKey = { kid: 'a-key', privateJwk: privateKey.export({ format: 'jwk' }), certificate: '', createdAt: 0 }
const clock = new ManualClock()
const parts = { authority: AUTHORITY, keys: new KeyRing([key]), clock, entropy: seededEntropy(7) }
const NOW = clock.now() / 1000

type Json = Readonly<Record<string, unknown>>

function tokenOf(name: string, options: MintOptions = {}): { readonly header: Json; readonly claims: Json; readonly token: string } {
  const { token } = mint(parts, findAccount(name)!, options)
  const [header = '', payload = ''] = token.split('.')
  const read = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString()) as Json
  return { header: read(header), claims: read(payload), token }
}

/** Names of claims as Microsoft's samples print them. */
const V1_USER =
  'aud iss iat nbf exp acr aio amr appid appidacr family_name given_name ipaddr name oid rh scp sub tid unique_name uti ver'.split(' ')
const V2_USER = 'aud iss iat nbf exp aio azp azpacr name oid preferred_username rh scp sub tid uti ver'.split(' ')
const V1_APP = 'aud iss iat nbf exp appid appidacr idp idtyp oid sub rh tid uti ver'.split(' ')
const V2_APP = V1_APP.map((name) => ({ appid: 'azp', appidacr: 'azpacr' })[name] ?? name)
const ID_TOKEN = 'aud iss iat nbf exp aio name nonce oid preferred_username rh sub tid uti ver'.split(' ')

const SHAPES: readonly (readonly [account: string, version: '1.0' | '2.0', names: readonly string[]])[] = [
  ['reader', '2.0', [...V2_USER, 'roles']],
  ['reader', '1.0', [...V1_USER, 'roles']],
  ['publisher', '2.0', [...V2_USER, 'roles', 'groups']],
  ['nobody', '2.0', [...V2_USER]],
  ['nobody', '1.0', [...V1_USER]],
  ['guest', '1.0', [...V1_USER, 'roles', 'email', 'idp']],
  ['guest', '2.0', [...V2_USER, 'roles', 'email', 'idp']],
  ['overage', '2.0', [...V2_USER, 'roles', '_claim_names', '_claim_sources']],
  ['outsider', '2.0', [...V2_USER, 'roles']],
  ['ci', '1.0', [...V1_APP, 'roles']],
  ['ci', '2.0', [...V2_APP, 'roles']],
  ['managed-identity', '1.0', [...V1_APP, 'roles', 'xms_mirid']],
  ['managed-identity', '2.0', [...V2_APP, 'roles', 'xms_mirid']],
  ['agent', '2.0', [...V2_APP, 'roles', 'scp', 'xms_act_fct', 'xms_idrel', 'xms_par_app_azp', 'xms_sub_fct']],
  ['agent-for-reader', '2.0', [...V2_USER, 'roles', 'idtyp', 'xms_act_fct', 'xms_idrel', 'xms_par_app_azp']],
  ['agent-user', '2.0', [...V2_USER, 'roles', 'idtyp', 'xms_act_fct', 'xms_idrel', 'xms_par_app_azp', 'xms_sub_fct']],
]

describe('claims', () => {
  for (const [account, version, names] of SHAPES) {
    test(`of ${account} in version ${version}`, () => {
      const { claims } = tokenOf(account, { version, api: version === '1.0' ? ORDERS_V1_API : ORDERS_API })
      assert.deepEqual(Object.keys(claims).toSorted(), [...names].toSorted())
      assert.equal(claims['ver'], version)
    })
  }

  test('of an ID token', () => {
    const { claims } = tokenOf('reader', { shape: 'id-token' })
    assert.deepEqual(Object.keys(claims).toSorted(), ID_TOKEN.toSorted())
  })

  test('issuer, audience and header differ by version as Entra has them', () => {
    const v2 = tokenOf('reader')
    assert.equal(v2.claims['iss'], `${AUTHORITY}/${HOME_TENANT}/v2.0`)
    assert.equal(v2.claims['aud'], ORDERS_API.clientId)
    assert.deepEqual(v2.header, { typ: 'JWT', alg: 'RS256', kid: 'a-key' })
    const v1 = tokenOf('reader', { version: '1.0' })
    assert.equal(v1.claims['iss'], `${AUTHORITY}/sts/${HOME_TENANT}/`)
    assert.equal(v1.claims['aud'], ORDERS_V1_API.uri)
    assert.deepEqual(v1.header, { typ: 'JWT', alg: 'RS256', x5t: 'a-key', kid: 'a-key' })
  })

  test('a guest comes from elsewhere, a member does not', () => {
    assert.equal(tokenOf('guest').claims['idp'], `${AUTHORITY}/sts/${PARTNER_TENANT}/`)
    assert.equal(tokenOf('guest').claims['tid'], HOME_TENANT)
    assert.equal(tokenOf('reader').claims['idp'], undefined)
  })

  test('an outsider has a token of its own tenant', () => {
    const { claims } = tokenOf('outsider')
    assert.equal(claims['tid'], PARTNER_TENANT)
    assert.equal(claims['iss'], `${AUTHORITY}/${PARTNER_TENANT}/v2.0`)
  })

  test('an overage says where to ask, and names no group', () => {
    const { claims } = tokenOf('overage')
    const endpoint = `https://graph.windows.net/${HOME_TENANT}/users/${findAccount('overage')!.oid}/getMemberObjects`
    assert.deepEqual(claims['_claim_names'], { groups: 'src1' })
    assert.deepEqual(claims['_claim_sources'], { src1: { endpoint } })
  })

  test('agents are marked as Entra Agent ID marks them', () => {
    const markers = (name: string): unknown => {
      const { claims } = tokenOf(name)
      return [
        claims['idtyp'],
        claims['scp'],
        claims['xms_act_fct'],
        claims['xms_sub_fct'],
        claims['xms_idrel'],
        claims['azp'],
        claims['xms_par_app_azp'],
      ]
    }
    assert.deepEqual(markers('agent'), ['app', '/', '11', '11', '7', AGENT_IDENTITY, AGENT_BLUEPRINT])
    assert.deepEqual(markers('agent-for-reader'), ['user', 'access_as_user', '11', undefined, '1', AGENT_IDENTITY, AGENT_BLUEPRINT])
    assert.deepEqual(markers('agent-user'), ['user', 'access_as_user', '11', '13', '1', AGENT_IDENTITY, AGENT_BLUEPRINT])
    assert.equal(tokenOf('agent-for-reader').claims['oid'], tokenOf('reader').claims['oid'])
  })

  test('lifetimes are 60 to 90 minutes, and 24 hours and 5 minutes for a managed identity', () => {
    for (let i = 0; i < 50; i++) {
      const { claims } = tokenOf('reader')
      const life = Number(claims['exp']) - Number(claims['iat'])
      assert.ok(life >= 3600 && life <= 5400, `${life}`)
      assert.equal(claims['nbf'], NOW)
    }
    const { claims } = tokenOf('managed-identity')
    assert.equal(Number(claims['exp']) - Number(claims['iat']), 86_700)
  })

  test('`sub` is one per person and API, `oid` one per person, `uti` one per token', () => {
    const [here, there] = [tokenOf('reader').claims, tokenOf('reader', { version: '1.0' }).claims]
    assert.notEqual(here['sub'], there['sub'])
    assert.equal(here['oid'], there['oid'])
    assert.equal(tokenOf('reader').claims['sub'], here['sub'])
    assert.notEqual(tokenOf('reader').claims['uti'], here['uti'])
  })

  test('no two accounts share an object id, but for the agent that acts for one', () => {
    const own = ACCOUNTS.filter(({ kind }) => kind !== 'agent-for-user').map(({ oid }) => oid)
    assert.equal(new Set(own).size, own.length)
  })
})

describe('faulty shapes', () => {
  const publicKey = createPublicKey(privateKey)
  const signatureHolds = (token: string): boolean => {
    const [header = '', payload = '', signature = ''] = token.split('.')
    return verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))
  }
  const shapes = Object.keys(FAULTY_SHAPES) as (keyof typeof FAULTY_SHAPES)[]

  test('only those that say so have a signature that does not hold', () => {
    const broken = shapes.filter((shape) => !signatureHolds(tokenOf('reader', { shape }).token))
    assert.deepEqual(broken, ['unsigned', 'bad-signature'])
    assert.ok(signatureHolds(tokenOf('reader').token))
  })

  test('each has its one fault', () => {
    assert.equal(tokenOf('reader', { shape: 'expired' }).claims['exp'], NOW - 3600)
    assert.equal(tokenOf('reader', { shape: 'future' }).claims['nbf'], NOW + 3600)
    assert.notEqual(tokenOf('reader', { shape: 'wrong-audience' }).claims['aud'], ORDERS_API.clientId)
    assert.equal(tokenOf('reader', { shape: 'wrong-issuer' }).claims['iss'], `https://login.example/${HOME_TENANT}/v2.0`)
    assert.equal(tokenOf('reader', { shape: 'graph-token' }).header['nonce'], 'demo-nonce')
    assert.equal(tokenOf('reader', { shape: 'unsigned' }).header['alg'], 'none')
    assert.ok(tokenOf('reader', { shape: 'unsigned' }).token.endsWith('.'))
    assert.deepEqual(tokenOf('reader', { shape: 'bad-signature' }).claims['roles'], ['Gateway.Admin'])
    assert.equal(tokenOf('reader', { shape: 'unknown-key' }).header['kid'], 'never-published')
    assert.equal(tokenOf('reader', { shape: 'id-token' }).claims['nonce'], 'demo')
  })
})
