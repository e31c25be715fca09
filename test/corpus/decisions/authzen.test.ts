/** Questions of other enforcement points about every protocol: the same answers as the cases, by name and properties. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSources } from '../../../src/config/load.ts'
import { readEvaluations } from '../../../src/policy/index.ts'
import { compile } from '../../../src/server/configuration.ts'

const NOW = Date.UTC(2026, 2, 2, 12)
const folder = import.meta.dirname
const policy = compile(folder, readSources(folder), NOW).policy!

function ask(role: string, type: string, id: string, action: object) {
  const subject = { type: 'user', id: 'one', properties: { issuer: 'entra', claims: { roles: [role], groups: [] } } }
  return readEvaluations(JSON.stringify({ subject, action, resource: { type, id } }), false, { policy, vouches: () => true, now: NOW })
}

function answer(role: string, type: string, id: string, action: object): string {
  const read = ask(role, type, id, action)
  if (!('questions' in read)) assert.fail(read.map(({ message }) => message).join())
  const { identity, action: asked, resource, context } = read.questions[0]!
  const { effect, reasons } = policy.decide(policy.bind(identity!), asked, resource, context)
  return `${effect} ${reasons[0]!.id ?? reasons[0]!.code}`
}

describe('questions by name and properties', () => {
  const rows: readonly (readonly [role: string, type: string, id: string, action: object, answer: string])[] = [
    ['Reader', 'http', 'orders', { name: 'GET', properties: { path: '/v1/orders/7' } }, 'allow http-read'],
    [
      'Reader',
      'kubernetes',
      'cluster',
      { name: 'get', properties: { resource: 'pods', namespace: 'shop', name: 'web-1' } },
      'allow k8s-look',
    ],
    ['Reader', 'kubernetes', 'cluster', { name: 'list', properties: { resource: 'pods' } }, 'deny k8s-operate'],
    ['Reader', 'kubernetes', 'cluster', { name: 'list', properties: { resource: 'nodes' } }, 'allow k8s-look'],
    [
      'Developer',
      'kubernetes',
      'cluster',
      { name: 'get', properties: { resource: 'pods', subresource: 'exec', namespace: 'shop', name: 'web-1' } },
      'allow k8s-shell',
    ],
    ['Reader', 'kubernetes', 'cluster', { name: 'get', properties: { path: '/version' } }, 'allow k8s-discover'],
    [
      'Reader',
      'sql',
      'database',
      { name: 'select', properties: { schema: 'public', object: 'people', column: 'name' } },
      'allow sql-people',
    ],
    ['Reader', 'sql', 'database', { name: 'select', properties: { schema: 'public', object: 'people' } }, 'deny sql-no-salaries'],
    ['Reader', 'sql', 'database', { name: 'transaction' }, 'allow sql-read'],
    [
      'Developer',
      'ssh',
      'hosts',
      { name: 'exec', properties: { login: 'deploy', command: ['systemctl', 'restart', 'web-1'] } },
      'allow ssh-restart',
    ],
    [
      'Developer',
      'ssh',
      'hosts',
      { name: 'exec', properties: { login: 'deploy', command: 'systemctl restart web-1; id' } },
      'deny ssh-no-removal',
    ],
    ['Reader', 'ssh', 'hosts', { name: 'sftp read as deploy: /var/log/a' }, 'allow ssh-look'],
    [
      'Developer',
      'container',
      'engine',
      { name: 'run', properties: { image: 'ghcr.io/acme/builder', options: ['mount /srv/cache'] } },
      'allow run-builder',
    ],
    [
      'Developer',
      'container',
      'engine',
      { name: 'run', properties: { image: 'ghcr.io/acme/web', options: ['privileged'] } },
      'deny never-privileged',
    ],
    [
      'Reader',
      'mcp',
      'tools',
      { name: 'tools/call', properties: { name: 'search_orders', arguments: { limit: 5 } } },
      'allow tools-search',
    ],
    [
      'Reader',
      'mcp',
      'tools',
      { name: 'tools/call', properties: { name: 'search_orders', arguments: { limit: 500 } } },
      'deny tools-search',
    ],
    ['Reader', 'llm', 'models', { name: 'chat', properties: { model: 'gpt-4o-mini', tokens: 100 } }, 'allow llm-small'],
    ['Reader', 'llm', 'models', { name: 'chat gpt-4o-mini tokens=5000' }, 'deny llm-small'],
  ]
  for (const [role, type, id, action, expected] of rows)
    test(`${type}: ${JSON.stringify(action)}`, () => assert.equal(answer(role, type, id, action), expected))
})

describe('questions that can not be read', () => {
  const rows: readonly (readonly [type: string, id: string, action: object, problem: RegExp])[] = [
    ['sql', 'cluster', { name: 'select on a.b' }, /no resource `cluster` of type `sql`/],
    [
      'kubernetes',
      'cluster',
      { name: 'get', properties: { resource: 'pods', nmae: 'x' } },
      /`nmae` is not one of the properties of this action; did you mean `name`/,
    ],
    ['kubernetes', 'cluster', { name: 'get', properties: { resource: 'pods', namespace: 'shop' } }, /about one of them/],
    ['sql', 'database', { name: 'select', properties: { object: 7 } }, /is not a text/],
    ['ssh', 'hosts', { name: 'exec', properties: { command: 'ls' } }, /needs the property `login`/],
    ['container', 'engine', { name: 'run', properties: { image: 'Nginx' } }, /not an image/],
    ['mcp', 'tools', { name: 'tools/cal', properties: { name: 'x' } }, /did you mean `tools\/call`/],
    ['llm', 'models', { name: 'chat', properties: { model: 'gpt-4o', tokens: 1.5 } }, /whole number/],
  ]
  for (const [type, id, action, problem] of rows)
    test(`${type}: ${JSON.stringify(action)}`, () => {
      const read = ask('Reader', type, id, action)
      assert.ok(!('questions' in read))
      assert.match(read[0]!.message, problem)
    })
})
