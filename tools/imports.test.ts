import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

/** Each family with those that it may import from, as docs/architecture.md draws it. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  config: ['core'],
  secrets: ['core', 'config'],
  store: ['core', 'config'],
  identity: ['core', 'config', 'secrets', 'store'],
  policy: ['core', 'config'],
  audit: ['core', 'config', 'secrets', 'store'],
  envoy: ['core', 'config', 'policy'],
  http: ['core', 'config', 'secrets'],
  kubernetes: ['core', 'config', 'secrets', 'policy'],
  doors: ['core', 'config', 'secrets', 'store', 'identity', 'policy', 'audit', 'envoy', 'http', 'kubernetes'],
  targets: ['core', 'config', 'secrets', 'store', 'identity', 'policy', 'audit', 'envoy', 'http', 'kubernetes'],
  server: ['core', 'config', 'secrets', 'store', 'identity', 'policy', 'audit', 'envoy', 'http', 'kubernetes', 'doors', 'targets'],
  demo: ['core', 'config', 'secrets', 'store', 'identity', 'policy', 'audit', 'envoy', 'http', 'kubernetes', 'doors', 'targets'],
  cli: [
    'bin',
    'core',
    'config',
    'secrets',
    'store',
    'identity',
    'policy',
    'audit',
    'envoy',
    'http',
    'kubernetes',
    'doors',
    'targets',
    'server',
    'demo',
  ],
  testing: [
    'core',
    'config',
    'secrets',
    'store',
    'identity',
    'policy',
    'audit',
    'envoy',
    'http',
    'kubernetes',
    'doors',
    'targets',
    'server',
    'demo',
  ],
}
/** Families whose members never import one another. */
const SEPARATE = new Set(['doors', 'targets'])
/** These also run in a browser. */
const NODE_FREE = new Set(['core', 'policy'])
const NODE_FREE_FILES = new Set([
  'config/document.ts',
  'config/validate.ts',
  'config/schema.ts',
  'config/fields.ts',
  'config/wiring.ts',
  'config/didyoumean.ts',
])

/** Tests and what only they share. */
function isForTests(file: string): boolean {
  return file.endsWith('.test.ts') || file.endsWith('/testing.ts') || file.includes('/testdata/')
}

interface Import {
  readonly from: string
  readonly to: string
}

function imports(): readonly Import[] {
  return globSync('src/**/*.ts', { cwd: root }).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to]) => ({ from: file.slice(4), to: to! }))
  })
}

/** What starts the program is plain JavaScript, and no family: the command line alone answers as it does. */
function resolved({ from, to }: Import): string {
  return relative('/src', join(dirname(`/src/${from}`), to)).replace(/^\.\.\/bin\//, 'bin/')
}

test('imports go one way between families', () => {
  const wrong = imports()
    .filter(({ from, to }) => to.startsWith('.') && !isForTests(from))
    .filter((one) => {
      const family = one.from.split('/')[0]!
      const target = resolved(one).split('/')[0]!
      return family !== target && !(MAY_IMPORT[family] ?? []).includes(target)
    })
  assert.deepEqual(wrong, [])
})

test('a door never imports a door, nor a target a target', () => {
  const wrong = imports().filter((one) => {
    const [family, member, file] = one.from.split('/')
    const [targetFamily, targetMember, targetFile] = resolved(one).split('/')
    return (
      one.to.startsWith('.') &&
      family === targetFamily &&
      SEPARATE.has(family!) &&
      file !== undefined &&
      targetFile !== undefined &&
      member !== targetMember
    )
  })
  assert.deepEqual(wrong, [])
})

test('core and policy import nothing of Node', () => {
  const wrong = imports().filter(
    ({ from, to }) =>
      to.startsWith('node:') && !from.endsWith('.test.ts') && (NODE_FREE.has(from.split('/')[0]!) || NODE_FREE_FILES.has(from)),
  )
  assert.deepEqual(wrong, [])
})

test('every family is listed', () => {
  const families = new Set(globSync('src/*/', { cwd: root }).map((path) => path.split('/')[1]!))
  assert.deepEqual(
    [...families].filter((family) => !Object.hasOwn(MAY_IMPORT, family)),
    [],
  )
})
