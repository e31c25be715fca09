/** Documents of Istio as somebody would write them, and what becomes of each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { importIstio } from './index.ts'
import { engineOf } from './testing.ts'

const TOKENS = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: people, namespace: shop }
spec:
  selector: { matchLabels: { app: orders } }
  jwtRules: [{ issuer: https://id.example.com, audiences: [https://shop.example.com], jwksUri: https://id.example.com/keys }]
`
function policy(name: string, spec: string, namespace = 'shop'): string {
  return `---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`
}
const ORDERS = 'selector: { matchLabels: { app: orders } }'
function importing(...texts: readonly string[]) {
  const imported = importIstio([{ file: 'in.yaml', text: texts.join('') }])
  assert.deepEqual(imported.diagnostics, [])
  return imported
}
function policyText({ files }: ReturnType<typeof importing>): string {
  return files.find(({ path }) => path === 'policy/imported.yaml')!.text
}

describe('ostiary import istio', () => {
  test('writes a rule for each rule, roles for claims, and where each is from', () => {
    const imported = importing(
      TOKENS,
      policy(
        'orders-readers',
        `{ ${ORDERS}, rules: [{ from: [{ source: { requestPrincipals: ['*'] } }], to: [{ operation: { methods: [GET, HEAD], paths: [/orders, '/orders/*'] } }], when: [{ key: 'request.auth.claims[groups]', values: [readers] }] }] }`,
      ),
      policy('orders-health', `{ ${ORDERS}, rules: [{ to: [{ operation: { methods: [GET, HEAD], paths: [/healthz] } }] }] }`),
    )
    const text = policyText(imported)
    assert.match(
      text,
      /# AuthorizationPolicy shop\/orders-readers\n {2}- \{ id: orders-readers, role: readers, resource: orders, actions: \[GET \/orders, GET \/orders\/\*\*\] \}/,
    )
    assert.match(text, /- \{ id: orders-health, role: everyone, resource: orders, actions: \[GET \/healthz\] \}/)
    assert.match(text, /readers: \{ bind: \[\{ issuer: id-example-com, claim: groups, any: \[readers\] \}\] \}/)
    assert.equal(engineOf(imported).policy.rules.length, 3)
  })
})

function losses(...texts: readonly string[]): readonly string[] {
  return importing(...texts)
    .losses.filter(({ document, field }) => !document.startsWith('workload') && !field.endsWith('jwksUri'))
    .map(({ kind, document, field, what }) => `${kind}: ${document} ${field}: ${what}`)
}
const rules = (text: string, action = 'ALLOW'): string => policy('p', `{ ${ORDERS}, action: ${action}, rules: [${text}] }`)

describe('what is lost of a policy of Istio', () => {
  const LOST: readonly (readonly [string, string, RegExp])[] = [
    [
      'a prefix within a segment',
      rules('{ to: [{ operation: { paths: ["/a*"] } }] }'),
      /^narrower: .*paths: `\/a\*` is taken for `\/a` and all below it/,
    ],
    ['a suffix', rules('{ to: [{ operation: { paths: ["*.css"] } }] }'), /^narrower: .*paths: `\*\.css`: no action is told by its end/],
    [
      'signs of several spellings',
      rules('{ to: [{ operation: { paths: ["/a:b"] } }] }'),
      /^wider: .*paths: .*several spellings.*; left out$/,
    ],
    [
      'a wildcard of hosts',
      rules('{ to: [{ operation: { hosts: ["*.example"] } }] }'),
      /^narrower: .*hosts: `\*\.example`: only hosts that are written out/,
    ],
    [
      'other ports',
      rules('{ to: [{ operation: { ports: ["80", "81"] } }] }, { to: [{ operation: { ports: ["90"] } }] }'),
      /^narrower: .*spec\.rules\[1\].*: other ports than 80, 81/,
    ],
    [
      'namespaces',
      rules('{ from: [{ source: { namespaces: [shop] } }] }'),
      /^not-carried: .*namespaces: `source\.namespace` can not be asked/,
    ],
    [
      'peers without a bundle',
      rules('{ from: [{ source: { principals: ["cluster.local/ns/a/sa/b"] } }] }'),
      /^not-carried: .*principals: who is at the other end .*--mesh-ca/,
    ],
    ['headers', rules('{ when: [{ key: "request.headers[x]", values: [a] }] }'), /^not-carried: .*when\[0\]: `request\.headers\[x\]`/],
    [
      'namespaces that are denied',
      rules('{ from: [{ source: { namespaces: [shop] } }] }', 'DENY'),
      /^narrower: .*namespaces: .*: it is denied whoever it is/,
    ],
    [
      'who would be asked',
      rules('{ to: [{ operation: { paths: [/a] } }] }', 'CUSTOM, provider: { name: other }'),
      /^not-carried: .*provider: `other` was asked about it .*: all of it is denied/,
    ],
    ['what is only marked', rules('{}', 'AUDIT'), /^not-carried: .*spec\.action: `AUDIT`/],
    [
      '`HEAD` that is denied with `GET`',
      rules('{ to: [{ operation: { methods: [GET] } }] }', 'DENY'),
      /^narrower: .*methods: what is denied of `GET`/,
    ],
    [
      'a client that has two names',
      `${TOKENS}${rules('{ when: [{ key: "request.auth.claims[client_id]", values: [a] }] }')}`,
      /^narrower: .*`client_id` is also `azp` here/,
    ],
    [
      'a policy for some pods',
      `${rules('{}')}${policy('q', '{ selector: { matchLabels: { app: orders, version: v1 } }, rules: [{}] }')}`,
      /^narrower: AuthorizationPolicy shop\/q spec: it holds for some pods/,
    ],
    [
      'a policy for nobody who is known',
      `${rules('{}')}${policy('q', '{ rules: [{}] }', 'other')}`,
      /^not-carried: AuthorizationPolicy other\/q : no workload is known/,
    ],
    [
      'places of tokens',
      `${TOKENS.replace('audiences:', 'fromParams: [t], audiences:')}${rules('{}')}`,
      /^not-carried: RequestAuthentication shop\/people spec\.jwtRules\[0\]\.fromParams/,
    ],
    [
      'audiences that nobody wrote',
      `${TOKENS.replace('audiences: [https://shop.example.com], ', '')}${rules('{}')}`,
      /^narrower: RequestAuthentication .*audiences: any audience was accepted; accepted are `write-the-audience/,
    ],
  ]
  for (const [name, text, expected] of LOST)
    test(`${name}: it is said`, () => {
      const all = losses(text)
      assert.ok(
        all.some((one) => expected.test(one)),
        all.join('\n'),
      )
    })

  test('with `--wider` what has several spellings is written, and said', () => {
    const [text] = [rules('{ to: [{ operation: { paths: ["/a:b"], methods: [GET] } }] }')]
    const wider = importIstio([{ file: 'in.yaml', text }], { acceptWider: true })
    assert.match(policyText(wider), /actions: \[GET \/a:b\]/)
    assert.doesNotMatch(policyText(wider), /no-head/)
    assert.deepEqual(
      wider.losses.filter(({ kind }) => kind === 'wider').map(({ what }) => what.replace(/.*; /, '')),
      ['written all the same', 'written all the same'],
    )
    assert.doesNotMatch(policyText(importIstio([{ file: 'in.yaml', text }])), /a:b/)
  })

  test('a policy of the whole namespace holds for the workloads of its Services', () => {
    const service =
      '---\napiVersion: v1\nkind: Service\nmetadata: { name: cart, namespace: shop }\nspec: { selector: { app: cart }, ports: [{ port: 80, targetPort: 9000 }] }\n'
    const imported = importing(policy('all', '{ rules: [{ to: [{ operation: { methods: [POST] } }] }] }'), service)
    assert.deepEqual(
      imported.places.map(({ resource, hosts, ports }) => [resource, hosts, ports]),
      [['cart', ['cart.shop', 'cart.shop.svc.cluster.local'], [9000]]],
    )
    assert.match(policyText(imported), /- \{ id: all, role: everyone, resource: cart, actions: \[POST \/\*\*\] \}/)
  })

  test('what kubectl prints as one list is read as its entries, and each place told', () => {
    const item = (spec: unknown) => ({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'p', namespace: 'shop', managedFields: [] },
      spec,
    })
    const list = (spec: unknown): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item(spec)] }, undefined, 1)
    assert.equal(importIstio([{ file: 'l.json', text: list({ selector: { matchLabels: { app: 'a' } }, rules: [{}] }) }]).counts.rules, 1)
    const { diagnostics, files } = importIstio([{ file: 'l.json', text: list({ rulez: [] }) }])
    assert.deepEqual(
      [files, diagnostics.map(({ message, span }) => [message, span!.line > 5])],
      [[], [['unknown key `rulez` in `spec`', true]]],
    )
  })

  test('documents without a namespace are of the one that is named', () => {
    const text = rules('{}').replace(', namespace: shop', '')
    assert.match(importIstio([{ file: 'in.yaml', text }]).diagnostics[0]!.message, /`namespace` is missing/)
    assert.equal(importIstio([{ file: 'in.yaml', text }], { namespace: 'own' }).places[0]!.namespace, 'own')
  })

  test('the root namespace is what the mesh says, and its denials hold everywhere', () => {
    const everywhere = policy('all', '{ action: DENY, rules: [{ to: [{ operation: { paths: [/admin] } }] }] }', 'mesh-root')
    const config = `---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: mesh-root }\ndata: { mesh: 'rootNamespace: mesh-root' }\n`
    const call = { path: '/admin', method: 'POST', ip: '10.0.0.1', payload: undefined }
    const of = (...texts: readonly string[]): boolean => engineOf(importing(rules('{}'), everywhere, ...texts)).allows('orders', call)
    assert.deepEqual([of(), of(config)], [true, false])
  })

  test('ports that only some of a workload serve are not let in, and no address but those that were', () => {
    const to = (path: string, ports: string): string => `{ to: [{ operation: { ports: ${ports}, paths: [${path}] } }] }`
    const two = importing(rules([to('/a', '["80", "81"]'), to('/c', '["80", "81"]'), to('/b', '["81", "90"]')].join(', ')))
    const engine = engineOf(two)
    const call = { method: 'POST', ip: '10.0.0.1', payload: undefined }
    assert.deepEqual(
      ['/a', '/b'].map((path) => [two.places[0]!.ports, engine.allows('orders', { ...call, path })]),
      [
        [[80, 81], true],
        [[80, 81], false],
      ],
    )
    assert.ok(two.losses.some(({ kind, what }) => kind === 'narrower' && what.startsWith('ports 90: ')))
    const office = engineOf(importing(rules('{ from: [{ source: { ipBlocks: [10.0.0.0/8], notIpBlocks: [10.0.0.7] } }] }')))
    assert.deepEqual(
      ['10.0.0.1', '10.0.0.7', '192.0.2.1'].map((ip) => office.allows('orders', { ...call, path: '/a', ip })),
      [true, false, false],
    )
  })

  test('what is large is written in parts, or what it lets in is left out and what it denies is denied in any case', () => {
    const paths = Array.from({ length: 400 }, (_, i) => `/p${i}`).join(', ')
    const many = importing(rules(`{ to: [{ operation: { methods: [POST, PUT, PATCH], paths: [${paths}] } }] }`))
    assert.equal(many.counts.rules, 2)
    const engine = engineOf(many)
    const call = { method: 'PATCH', ip: '10.0.0.1', payload: undefined }
    assert.deepEqual(
      ['/p0', '/p399', '/p400'].map((path) => engine.allows('orders', { ...call, path })),
      [true, true, false],
    )
    const blocks = Array.from({ length: 400 }, (_, i) => `10.${i % 256}.${Math.floor(i / 256)}.0/24`).join(', ')
    const large = (action: string) => importing(rules(`{ from: [{ source: { ipBlocks: [${blocks}] } }] }`, action))
    for (const [action, count] of [
      ['ALLOW', 0],
      ['DENY', 1],
    ] as const) {
      const imported = large(action)
      assert.ok(imported.losses.some(({ kind, what }) => kind === 'narrower' && what.startsWith('its condition is too large')))
      assert.deepEqual([imported.counts.guardrails, engineOf(imported).allows('orders', { ...call, path: '/a' })], [count, false])
    }
    const from = Array.from({ length: 100 }, (_, i) => `{ source: { ipBlocks: [10.0.0.${i}] } }`).join(', ')
    const to = Array.from({ length: 100 }, (_, i) => `{ operation: { paths: [/p${i}] } }`).join(', ')
    const product = importing(rules(`{ from: [${from}], to: [${to}] }`, 'DENY'))
    assert.equal(engineOf(product).allows('orders', { ...call, path: '/a' }), false)
  })

  test('the peers of rules are roles, where there is a bundle', () => {
    const text = rules('{ from: [{ source: { principals: ["cluster.local/ns/shop/sa/web"] } }], to: [{ operation: { methods: [POST] } }] }')
    const imported = importIstio([{ file: 'in.yaml', text }], { meshCa: 'mesh.pem' })
    assert.match(policyText(imported), /peer-shop-web: \{ bind: \[\{ issuer: mesh, claim: path, any: \[\/ns\/shop\/sa\/web\] \}\] \}/)
    const engine = engineOf(imported)
    const call = { method: 'POST', path: '/a', ip: '10.0.0.1', payload: undefined }
    assert.deepEqual(
      ['spiffe://cluster.local/ns/shop/sa/web', 'spiffe://cluster.local/ns/shop/sa/x', undefined].map((peer) =>
        engine.allows('orders', { ...call, peer }),
      ),
      [true, false, false],
    )
  })

  test('an audience of one workload is none of another', () => {
    const other = TOKENS.replaceAll('people', 'others')
      .replace('app: orders', 'app: cart')
      .replace('https://shop.example.com', 'https://cart.example.com')
    const imported = importing(TOKENS, '---\n', other, policy('all', '{ rules: [{}] }'))
    const engine = engineOf(imported)
    const call = { method: 'POST', path: '/a', ip: '10.0.0.1' }
    const payload = { iss: 'https://id.example.com', sub: 'me', aud: 'https://cart.example.com' }
    assert.deepEqual(
      ['orders', 'cart'].map((resource) => engine.allows(resource, { ...call, payload })),
      [false, true],
    )
  })
})

describe('hostile input', () => {
  const HOSTILE: readonly (readonly [string, string, RegExp])[] = [
    ['aliases in a policy', policy('p', '{ rules: &a [{}], provider: *a }'), /config\/yaml/],
    ['a bomb', `a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\nkind: AuthorizationPolicy\n`, /config\/yaml/],
    ['a text', 'just a text', /target\/import-no-kind/],
    ['a number', '---\n5\n', /target\/import-no-kind/],
    ['a list', '[1, 2]', /target\/import-no-kind/],
    ['what is no YAML', 'a: [', /config\/yaml/],
    ['a list in a list', 'kind: List\nitems: [{ kind: List, items: [{ kind: List, items: [] }] }]\n', /config\/invalid/],
    ['the same twice', policy('p', '{}') + policy('p', '{}'), /config\/invalid/],
    ['too deep', '['.repeat(20_000), /config\/yaml/],
    ['a prototype', '__proto__: { kind: AuthorizationPolicy }\nkind: AuthorizationPolicy\n', /config\//],
  ]
  for (const [name, text, code] of HOSTILE)
    test(`${name} is refused with a place, and never crashes`, () => {
      const { diagnostics, files } = importIstio([{ file: 'in.yaml', text }])
      assert.match(diagnostics[0]?.code ?? '', code)
      assert.deepEqual(files, [])
    })

  test('whatever else it is, it is read or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), mangled), (text) => {
        const { diagnostics, files } = importIstio([{ file: 'in.yaml', text }])
        assert.ok(diagnostics.length === 0 || files.length === 0)
      }),
      { numRuns: 400 },
    )
  })
})

/** A policy with something in it that is something else. */
const mangled = fc
  .tuple(fc.constantFrom('orders', 'ALLOW', '/a', 'shop', 'selector', 'rules', 'GET', 'p', '{', ']'), fc.oneof(fc.string(), fc.json()))
  .map(([one, other]) => rules('{ to: [{ operation: { paths: [/a], methods: [GET] } }] }').replace(one, () => other))
