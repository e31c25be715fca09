import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Action } from '../core/action.ts'
import { formatAction } from '../core/action.ts'
import { decisionText, FIELD_LIMIT, principalTexts } from './encode.ts'
import { decisionInputs } from './inputs.ts'
import { parseRecord, type DecisionRecord } from './schema.ts'
import { decisionOf } from './testdata/record.ts'

const actions: readonly Action[] = [
  {
    protocol: 'kubernetes',
    verb: 'create',
    group: 'apps',
    resource: 'deployments',
    subresource: 'scale',
    namespace: 'shop',
    name: '*',
    path: '',
  },
  { protocol: 'sql', class: 'select', schema: 'public', object: 'a "b"\u202e', column: '*' },
  { protocol: 'ssh', operation: 'exec', login: 'deploy', access: '', command: ['ls', "a 'b'"], target: '' },
  { protocol: 'ssh', operation: 'exec', login: 'deploy', access: '', target: '' },
  {
    protocol: 'container',
    operation: 'run',
    repository: 'docker.io/acme/web',
    version: ':1',
    name: '*',
    options: ['mount /srv:ro', 'privileged'],
  },
  { protocol: 'mcp', method: 'tools/call', name: 'search', arguments: { q: 'x "y"', deep: [{ a: null }] } },
  { protocol: 'mcp', method: 'tools/list', name: '' },
  { protocol: 'llm', operation: 'chat', model: 'gpt-4o', tokens: 100 },
  { protocol: 'llm', operation: 'models', model: '' },
]

function recorded(action: Action): DecisionRecord {
  const event = decisionOf('/x', { action })
  const text = `{"seq":2,${decisionText(event, 'spool', principalTexts()(event.principal))},"hash":"${'0'.repeat(64)}"}`
  const record = parseRecord(Buffer.from(text))
  assert.ok(record?.kind === 'decision', text)
  return record
}

describe('the action of every protocol', () => {
  for (const action of actions)
    test(formatAction(action), () => {
      const record = recorded(action)
      const inputs = decisionInputs(record, undefined)
      // What is left out in one place is undefined in the other.
      assert.deepEqual(JSON.parse(JSON.stringify(inputs.action)), JSON.parse(JSON.stringify(action)))
      assert.equal(formatAction(record.action), formatAction(action))
    })

  test('is cut where it is too long, and the record says so', () => {
    const record = recorded({ protocol: 'mcp', method: 'tools/call', name: 'x', arguments: { long: 'x'.repeat(2 * FIELD_LIMIT) } })
    assert.equal(record.truncated, true)
    const { action, exact } = decisionInputs(record, undefined)
    assert.equal(exact, false)
    assert.ok(action.protocol === 'mcp' && action.arguments === undefined)
  })

  test('is read also where a later version wrote more of it', () => {
    const { action } = decisionInputs({ ...recorded(actions[0]!), action: { ...actions[0]!, later: 1 } } as DecisionRecord, undefined)
    assert.deepEqual(action, actions[0])
  })
})
