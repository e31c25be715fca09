/** The Azure SDK's own credentials against the Entra-shaped provider over TLS, and their tokens at the door of a whole gateway. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ClientCertificateCredential, ClientSecretCredential, WorkloadIdentityCredential, type TokenCredential } from '@azure/identity'
import { decodeJwt } from 'jose'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { CI_SECRET, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { testCertificate, type TestCertificate } from '../../src/secrets/clientauth/testdata/certificates.ts'
import { assertJudged, BUILDER, openEntraWorld, type EntraWorld } from './entraworld.ts'
import { clusterStandIn, type ClusterStandIn } from './clusterstandin.ts'

const DAY = 86_400_000
const SUBJECT = 'system:serviceaccount:builds:ci'

let world: EntraWorld
let cluster: ClusterStandIn
let registered: TestCertificate
let stranger: TestCertificate

describe('the Azure SDK', () => {
  before(async () => {
    world = await openEntraWorld()
    cluster = await clusterStandIn()
    registered = await testCertificate(Date.now() - DAY, Date.now() + DAY)
    stranger = await testCertificate(Date.now() - DAY, Date.now() + DAY)
    world.idp.credentials.addCertificate(CI_CLIENT, registered.cert)
    world.idp.credentials.addFederated(CI_CLIENT, { issuer: cluster.issuer, subject: SUBJECT, audience: 'api://AzureADTokenExchange' })
  })
  after(async () => {
    await world.close()
    await cluster.close()
  })

  const options = () => ({
    authorityHost: world.idp.authority,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: world.ca },
    retryOptions: { maxRetries: 0 },
  })
  const bySecret = (secret: string) => new ClientSecretCredential(HOME_TENANT, CI_CLIENT, secret, options())
  const byCertificate = ({ cert, key }: TestCertificate, sendCertificateChain = false) =>
    new ClientCertificateCredential(HOME_TENANT, CI_CLIENT, { certificate: key + cert }, { ...options(), sendCertificateChain })
  /** As a pod has it: the platform projects its token into a file. */
  async function byPlatform(subject: string, audience?: string): Promise<TokenCredential> {
    const tokenFilePath = join(world.folder, 'projected-token')
    writeFileSync(tokenFilePath, await cluster.token(subject, audience))
    return new WorkloadIdentityCredential({ ...options(), tenantId: HOME_TENANT, clientId: CI_CLIENT, tokenFilePath })
  }

  async function tokenBy(credential: TokenCredential): Promise<string> {
    return (await credential.getToken(`${ORDERS_API.uri}/.default`))!.token
  }

  const proofs: readonly (readonly [string, string, () => TokenCredential | Promise<TokenCredential>])[] = [
    ['a client secret', '1', () => bySecret(CI_SECRET)],
    ['a certificate', '2', () => byCertificate(registered)],
    ['a certificate, with its chain', '2', () => byCertificate(registered, true)],
    ['the token that a cluster projects', '2', () => byPlatform(SUBJECT)],
  ]
  for (const [proof, azpacr, credential] of proofs)
    test(`gets a token by ${proof}, and the gateway knows the app by it`, async () => {
      const token = await tokenBy(await credential())
      assert.equal(decodeJwt(token)['azpacr'], azpacr)
      await assertJudged(world, token, BUILDER)
    })

  test('gets a token by a secret that is worth nothing once a character of its signature is another', async () => {
    const token = await tokenBy(bySecret(CI_SECRET))
    const middle = token.lastIndexOf('.') + 20
    const altered = token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1)
    const answer = await world.ask(altered)
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate')!, /the signature of the token is wrong/)
  })

  const refused: readonly (readonly [string, () => TokenCredential | Promise<TokenCredential>, RegExp])[] = [
    ['another secret', () => bySecret('another'), /AADSTS7000215: Invalid client secret/],
    ['a certificate that is not registered', () => byCertificate(stranger), /AADSTS700027: .*The key was not found/],
    [
      'a token of another subject',
      () => byPlatform('system:serviceaccount:builds:CI'),
      /AADSTS700213: No matching federated identity record/,
    ],
    ['a token for another audience', () => byPlatform(SUBJECT, 'https://kubernetes.default.svc'), /AADSTS700212: .*'https:\/\/kubernetes/],
  ]
  for (const [proof, credential, says] of refused)
    test(`gets none by ${proof}`, async () => {
      await assert.rejects(tokenBy(await credential()), says)
    })
})
