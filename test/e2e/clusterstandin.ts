/** A stand-in for the issuer of a Kubernetes cluster: its discovery document, its keys, and tokens of its service accounts. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

export interface ClusterStandIn {
  readonly issuer: string
  token(subject: string, audience?: string): Promise<string>
  close(): Promise<void>
}

export async function clusterStandIn(): Promise<ClusterStandIn> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'cluster', use: 'sig', alg: 'RS256' }
  const server = createServer((request, response) => {
    const body = request.url === '/openid/v1/jwks' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/openid/v1/jwks` }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    token: (subject, audience = 'api://AzureADTokenExchange') =>
      new SignJWT({})
        .setProtectedHeader({ alg: 'RS256', kid: 'cluster' })
        .setIssuer(issuer)
        .setSubject(subject)
        .setAudience([audience])
        .setIssuedAt()
        .setNotBefore('0 s ago')
        .setExpirationTime('1h')
        .sign(privateKey),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
