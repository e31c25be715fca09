/** `ostiary import istio` as it is run, and there and back: what is compiled from it decides as the policies did. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { assumptionNames } from '../targets/istio/assume.ts'
import { DEFAULT_MESH, evaluateIstio, istioOf, parseIstio, translateIstio, type IstioResource } from '../targets/istio/translate/index.ts'
import { regexes } from '../testing/regexes.ts'
import { compileTargets } from './targets.ts'
import { run } from './testing.ts'

const NOW = Date.UTC(2030, 0, 1)

function authorization(name: string, spec: string): string {
  return `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: shop }\nspec: ${spec}\n`
}
const SELECTED = 'selector: { matchLabels: { app: orders } }'
const HOSTS = 'hosts: [orders.example.com], ports: ["8080"]'
const POLICIES = [
  `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: people, namespace: shop }
spec:
  ${SELECTED}
  jwtRules: [{ issuer: https://id.example.com, audiences: [https://shop.example.com], jwksUri: https://id.example.com/keys }]
`,
  authorization('nothing', '{}'),
  authorization(
    'readers',
    `{ ${SELECTED}, rules: [{ from: [{ source: { requestPrincipals: ['https://id.example.com/*'] } }], to: [{ operation: { ${HOSTS}, methods: [GET, HEAD], paths: [/orders, '/orders/*', '/carts/{*}/items'] } }], when: [{ key: 'request.auth.claims[groups]', values: [readers, writers] }] }] }`,
  ),
  authorization(
    'writers',
    `{ ${SELECTED}, rules: [{ to: [{ operation: { ${HOSTS}, methods: [POST, DELETE], paths: ['/orders/*'] } }], when: [{ key: 'request.auth.claims[groups]', values: [writers] }, { key: 'request.auth.claims[department]', notValues: [kiosk] }] }] }`,
  ),
  authorization('health', `{ ${SELECTED}, rules: [{ to: [{ operation: { ${HOSTS}, methods: [GET], paths: [/healthz] } }] }] }`),
  authorization(
    'office',
    `{ ${SELECTED}, rules: [{ from: [{ source: { requestPrincipals: ['*'], ipBlocks: [10.0.0.0/8] } }], to: [{ operation: { ${HOSTS}, methods: [GET, HEAD], paths: [/reports] } }] }] }`,
  ),
  authorization(
    'no-contractors',
    `{ ${SELECTED}, action: DENY, rules: [{ to: [{ operation: { ports: ["8080"], methods: [DELETE], paths: ['/orders/*'] } }], when: [{ key: 'request.auth.claims[department]', values: [contractors] }] }] }`,
  ),
  authorization(
    'no-token',
    `{ ${SELECTED}, action: DENY, rules: [{ from: [{ source: { notRequestPrincipals: ['*'] } }], to: [{ operation: { notPaths: [/healthz] } }] }] }`,
  ),
]
const MESH = `---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: 'pathNormalization: { normalization: DECODE_AND_MERGE_SLASHES }' }\n`

describe('import istio', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'import-istio-'))
    writeFileSync(join(folder, 'in.yaml'), POLICIES.join('') + MESH)
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('writes what `check` accepts and `compile istio` tells a mesh again, with the same decisions', async () => {
    const out = join(folder, 'out')
    const imported = await run('import', 'istio', join(folder, 'in.yaml'), '--out', out)
    assert.equal(imported.exit, 0, imported.err)
    assert.match(imported.err, /8 documents: 1 resource, 4 roles, 4 rules, 2 guardrails, in /)
    const checked = await run('check', out)
    assert.equal(checked.exit, 0, checked.err)
    assert.match(checked.out, /0 warnings/)
    const unassumed = await run('check', out, '--env', 'mesh')
    assert.match(unassumed.err, /target\/can-not-tell/)
    assert.doesNotMatch(unassumed.err, /target\/not-/)
    const environment = join(out, 'environments/mesh.yaml')
    writeFileSync(environment, readFileSync(environment, 'utf8').replace('assume: []', `assume: [${assumptionNames.join(', ')}]`))
    const [target] = await compileTargets('istio', out, { env: 'mesh' })
    assert.deepEqual(target!.diagnostics, [])
    const originals = proxyOf(parseIstio('in.yaml', POLICIES.join('')))
    const again = proxyOf(istioOf(JSON.parse(JSON.stringify(target!.documents)) as unknown[]))
    const told = { allowed: 0, denied: 0 }
    for (const payload of PAYLOADS)
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT'])
        for (const path of PATHS)
          for (const source of ['10.0.0.1', '192.0.2.1']) {
            const [theirs, ours] = [originals, again].map((proxy) => allowsAt(proxy, method, path, source, payload))
            assert.equal(ours, theirs, JSON.stringify([method, path, source, payload]))
            told[theirs === true ? 'allowed' : 'denied']++
          }
    assert.ok(told.allowed > 50 && told.denied > 500, JSON.stringify(told))
  })

  test('refuses to write over what is there', async () => {
    const out = join(folder, 'there')
    assert.equal((await run('import', 'istio', join(folder, 'in.yaml'), '--out', out)).exit, 0)
    const before = readFileSync(join(out, 'policy/imported.yaml'), 'utf8')
    const again = await run('import', 'istio', join(folder, 'in.yaml'), '--out', out)
    assert.notEqual(again.exit, 0)
    assert.match(again.err, /ostiary\.yaml/)
    assert.equal(readFileSync(join(out, 'policy/imported.yaml'), 'utf8'), before)
  })

  test('writes all of it on standard output, and as JSON with every loss', async () => {
    const shown = await run('import', 'istio', join(folder, 'in.yaml'))
    assert.match(shown.out, /^# ostiary\.yaml\n[^]*\n---\n# policy\/imported\.yaml\n[^]*\n---\n# environments\/mesh\.yaml\n/)
    const { losses, counts } = JSON.parse((await run('import', 'istio', join(folder, 'in.yaml'), '--json')).out) as {
      readonly losses: readonly { readonly kind: string }[]
      readonly counts: { readonly documents: number }
    }
    assert.deepEqual([losses.map(({ kind }) => kind), counts.documents], [['not-carried'], 8])
    assert.match(shown.err, /not-carried \(Istio does it[^]*RequestAuthentication shop\/people\n {4}spec\.jwtRules\[0\]\.jwksUri/)
  })

  test('says where something is wrong, and writes nothing', async () => {
    const file = join(folder, 'bad.yaml')
    const out = join(folder, 'bad')
    writeFileSync(file, `${authorization('a', '{ rules: [{ to: [{ operation: { method: [GET] } }] }] }').slice(4)}---\nnot: a resource\n`)
    const refused = await run('import', 'istio', file, '--out', out)
    assert.equal(refused.exit, 65)
    assert.match(refused.err, /unknown key `method` in `spec\.rules\[0\]\.to\[0\]\.operation`[^]*bad\.yaml:4:/)
    assert.match(refused.err, /target\/import-no-kind[^]*bad\.yaml:6:/)
    assert.equal(existsSync(out), false)
    writeFileSync(file, 'apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: b }\n')
    assert.match((await run('import', 'istio', file)).err, /there is no policy of Istio/)
    assert.match((await run('import', 'istio', join(folder, 'nowhere.yaml'))).err, /can not be read \(ENOENT\)/)
  })
})

const PATHS = [
  '/',
  '/healthz',
  '/orders',
  '/orders/',
  '/orders/7',
  '/orders/7/items',
  '/orders7',
  '/carts/7/items',
  '/carts/items',
  '/reports',
  '/reports/x',
]
const PAYLOADS: readonly (Readonly<Record<string, unknown>> | undefined)[] = [
  undefined,
  {},
  { groups: ['readers'] },
  { groups: ['writers'] },
  { groups: ['writers', 'x'], department: 'kiosk' },
  { groups: ['writers'], department: 'contractors' },
  { groups: ['readers'], department: 'contractors' },
  { groups: ['other'], department: 'x' },
]

function proxyOf(resources: readonly IstioResource[]) {
  return translateIstio({
    resources,
    mesh: { ...DEFAULT_MESH, pathNormalization: 'DECODE_AND_MERGE_SLASHES' },
    workload: { kind: 'sidecar', namespace: 'shop', labels: { app: 'orders' } },
    keys: new Map(),
  })
}

function allowsAt(
  proxy: ReturnType<typeof proxyOf>,
  method: string,
  path: string,
  source: string,
  payload: Readonly<Record<string, unknown>> | undefined,
): boolean {
  const seconds = NOW / 1000
  const token = {
    iss: 'https://id.example.com',
    aud: 'https://shop.example.com',
    sub: 'me',
    client_id: 'app',
    iat: seconds,
    exp: seconds + 60,
    ...payload,
  }
  const tokens = payload === undefined ? [] : [{ payload: token }]
  return evaluateIstio(proxy, { method, path, host: 'orders.example.com', port: 8080, source, time: NOW, tokens }, regexes).allowed
}
