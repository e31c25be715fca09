/** Documents of Istio as somebody would write them, and what becomes of each. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
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
