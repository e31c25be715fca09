import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { readSources } from '../src/config/load.ts'
import { compile, testConfiguration } from '../src/server/configuration.ts'

const root = join(import.meta.dirname, '..')
const demo = join(root, 'examples/demo')
const documents = globSync(['*.md', 'docs/**/*.md', 'src/**/*.md', 'test/**/*.md'], { cwd: root })

/** What a reader adds to a policy of his own for the gateway to accept it. */
const administer = `apiVersion: ostiary.dev/v1
roles: { operator: { bind: [{ issuer: entra, claim: roles, any: [Gateway.Admin] }] } }
rules: [{ id: operate, role: operator, resource: ostiary, actions: ['* /**'] }]
`

test('links between documents lead somewhere', () => {
  const broken = documents.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
    return [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, to]) => to!)
      .filter((to) => !existsSync(join(root, dirname(file), to)))
      .map((to) => `${file}: ${to}`)
  })
  assert.deepEqual(broken, [])
})

test('the policy on the README’s first screen is one', () => {
  const text = /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!
  const policy = [
    { path: 'policy/readme.yaml', text },
    { path: 'policy/operate.yaml', text: administer },
  ]
  const { diagnostics } = compile(demo, { ...readSources(demo), policy }, Date.now())
  assert.deepEqual(diagnostics, [])
  assert.ok(text.split('\n').length <= 14, 'it fits the first screen')
})

test('the example is right in every environment, and its tests pass', () => {
  for (const environment of [undefined, 'production']) {
    const { diagnostics } = compile(demo, readSources(demo, environment), Date.now())
    assert.deepEqual(diagnostics, [], environment)
    const { results } = testConfiguration(demo, environment)
    assert.ok(results.length > 10)
    assert.deepEqual(
      results.filter(({ passed }) => !passed).map(({ name }) => name),
      [],
    )
  }
})

test('nothing speaks of the machine that it was made on', () => {
  const files = globSync(
    ['{src,bin,tools,test,docs,examples,console,schemas}/**/*.{ts,tsx,js,md,yaml,json,css,html}', '*.md', '*.json', '.ci/run'],
    { cwd: root },
  ).filter((file) => file !== 'tools/docs.test.ts')
  const found = files.filter((file) => /(^|[^a-zA-Z0-9_.~-])\/(work|root)\/[a-z]/m.test(readFileSync(join(root, file), 'utf8')))
  assert.deepEqual(found, [])
})
