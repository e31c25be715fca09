/** AWS callers through a whole gateway, from the command line's own signer to the upstream and the record. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stringify } from 'yaml'
import { presignToken } from '../../src/cli/aws/sign.ts'
import { main } from '../../src/cli/main.ts'
import { loadConfiguration } from '../../src/server/configuration.ts'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { startStandInSts, type StandInKey, type StandInSts } from '../../src/testing/standin-sts.ts'

const ACCOUNT = '123456789012'
const deployer: StandInKey = {
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJH'.repeat(20),
  arn: `arn:aws:sts::${ACCOUNT}:assumed-role/deployer/build-17`,
  userId: 'AROADBQP57FF2AEXAMPLE:build-17',
  account: ACCOUNT,
}
const stranger: StandInKey = { ...deployer, arn: deployer.arn.replaceAll(ACCOUNT, '999999999999'), account: '999999999999' }
const lines: string[] = []
let sts: StandInSts
let upstream: ReturnType<typeof createServer>
let folder: string
let gateway: Gateway

const wiring = (): Record<string, unknown> => ({
  apiVersion: 'ostiary.dev/v1',
  name: 'e2e',
  issuers: {
    aws: {
      kind: 'aws-iam',
      audiences: ['orders.example.com'],
      accounts: [ACCOUNT],
      regions: ['eu-central-1'],
      endpoint: sts.origin,
    },
  },
  resources: {
    orders: {
      protocol: 'http',
      hosts: ['orders.localhost'],
      record: 'strict',
      upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
    },
  },
  doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
  admin: { listen: '127.0.0.1:0' },
})

describe('AWS IAM', () => {
  before(async () => {
    sts = await startStandInSts(() => Date.now())
    sts.keys.set('ASIADEPLOYEREXAMPLE0', deployer).set('ASIASTRANGEREXAMPLE0', stranger)
    upstream = createServer((incoming, response) =>
      response.end(
        JSON.stringify([incoming.headers['ostiary-subject'], incoming.headers['ostiary-roles'], incoming.headers.authorization ?? null]),
      ),
    )
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    folder = mkdtempSync(join(tmpdir(), 'ostiary-aws-e2e-'))
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring()))
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        publisher: { bind: [{ issuer: 'aws', claim: 'roleArn', any: [`arn:aws:iam::${ACCOUNT}:role/deployer`] }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        { id: 'publish', role: 'publisher', resource: 'orders', actions: ['PUT /orders/{id}'] },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
    }
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy, { aliasDuplicateObjects: false }))
    gateway = await startGateway({ folder, watch: false, log: (line) => lines.push(line) })
  })

  after(async () => {
    await gateway.stop(100)
    await sts.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
    rmSync(folder, { recursive: true, force: true })
  })

  function put(token: string, path = '/orders/7', method = 'PUT'): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const headers = { host: 'orders.localhost', authorization: `Bearer ${token}` }
      const outgoing = request({ host: '127.0.0.1', port: gateway.doors[0]!.port, path, method, headers, agent: false }, (incoming) => {
        let body = ''
        incoming.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body }))
      })
      outgoing.on('error', reject).end()
    })
  }

  function tokenOf(key: StandInKey, accessKeyId: string, audience = 'orders.example.com'): string {
    const { secretAccessKey, sessionToken } = key
    return presignToken({ credentials: { accessKeyId, secretAccessKey, sessionToken }, region: 'eu-central-1', audience, now: Date.now() })
  }

  test('a role of AWS does what its policy role may, and no more', async () => {
    const token = tokenOf(deployer, 'ASIADEPLOYEREXAMPLE0')
    const { status, body } = await put(token)
    assert.equal(status, 200, body)
    const [subject, , authorization] = JSON.parse(body) as string[]
    assert.equal(authorization, null, 'the upstream never sees the request')
    assert.match(String(subject), /AROADBQP57FF2AEXAMPLE/)
    assert.equal((await put(token, '/orders/7', 'DELETE')).status, 403)
    assert.equal(sts.requests.length, 1)
  })

  test('another account, another gateway’s request and a silent STS are 401, 401 and 503', async () => {
    assert.equal((await put(tokenOf(stranger, 'ASIASTRANGEREXAMPLE0'))).status, 401)
    assert.equal((await put(tokenOf(deployer, 'ASIADEPLOYEREXAMPLE0', 'payments.example.com'))).status, 401)
    sts.misbehave = 'drop'
    assert.equal((await put(tokenOf({ ...deployer, secretAccessKey: 'other' }, 'ASIADEPLOYEREXAMPLE0'))).status, 503)
    sts.misbehave = undefined
  })

  test('`ostiary login --aws` signs in to the gateway, and keeps nothing that was refused', async () => {
    const { write } = process.stdout
    const { write: error } = process.stderr
    const before = { ...process.env }
    const kept = join(folder, 'config/ostiary/credentials.json')
    const login = async (secret: string): Promise<string> => {
      let out = ''
      for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
      Object.assign(process.env, {
        XDG_CONFIG_HOME: join(folder, 'config'),
        HOME: folder,
        AWS_ACCESS_KEY_ID: 'ASIADEPLOYEREXAMPLE0',
        AWS_SECRET_ACCESS_KEY: secret,
        AWS_SESSION_TOKEN: deployer.sessionToken,
        AWS_REGION: 'eu-central-1',
      })
      process.stdout.write = process.stderr.write = (text: string | Uint8Array) => ((out += String(text)), true)
      try {
        const exit = await main(['login', '--aws', '--audience', 'orders.example.com', '--admin', new URL(gateway.admin.url).origin])
        return `${exit} ${out}`
      } finally {
        process.stdout.write = write
        process.stderr.write = error
        for (const name of ['XDG_CONFIG_HOME', ...Object.keys(process.env).filter((one) => one.startsWith('AWS_'))])
          delete process.env[name]
        Object.assign(process.env, before)
      }
    }
    assert.match(await login('other'), /^77 .*sign-in failed/s)
    assert.equal(existsSync(kept), false)
    assert.match(await login(deployer.secretAccessKey), /^0 signed in as somebody the gateway does not admit to its admin API until/)
    assert.match(readFileSync(kept, 'utf8'), /"token":"ostiary-aws-v1\./)
  })

  test('two issuers of this kind are refused, at their place', () => {
    const twice = wiring()
    const issuers = twice['issuers'] as Record<string, unknown>
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      stringify({ ...twice, issuers: { ...issuers, other: issuers['aws'] } }, { aliasDuplicateObjects: false }),
    )
    const { policy, diagnostics } = loadConfiguration(folder)
    assert.equal(policy, undefined)
    assert.deepEqual(
      diagnostics.map(({ code, span }) => [code, span?.file]),
      [['identity/single-kind', 'ostiary.yaml']],
    )
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring()))
  })

  test('nothing that was kept or printed holds a request or its credentials', async () => {
    await gateway.stop(100)
    const files = readdirSync(join(folder, 'data'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const kept = files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1')).join('\n')
    assert.ok(kept.includes('AROADBQP57FF2AEXAMPLE'), 'the record says who it was')
    for (const secret of ['ASIADEPLOYEREXAMPLE0', 'IQoJb3JpZ2luX2VjEJr', 'X-Amz-Signature', 'ostiary-aws-v1'])
      assert.ok(!(kept + lines.join('\n')).includes(secret), secret)
    gateway = await startGateway({ folder, watch: false, log: (line) => lines.push(line) })
  })
})
