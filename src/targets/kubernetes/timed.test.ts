import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TargetDocument } from '../target.ts'
import { isAuthorized, readRbac } from './evaluate.ts'
import { documentsOf, inputOf, policyOf, targetOf } from './testing.ts'
import { endOf, noTimed, timedBindings, type ActiveRole } from './timed.ts'

const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: groups, any: [11111111-1111-1111-1111-111111111111] }] }
  lead: { eligible: [{ issuer: entra, claim: groups, any: [22222222-2222-2222-2222-222222222222] }], includes: [reader] }
  other: { eligible: [{ issuer: ci, claim: repository, any: [infra] }] }
`
const RULES = `rules:
  - { id: look, role: reader, resource: prod, actions: ['list pods -n shop'] }
  - { id: halt, role: [lead, other], resource: prod, actions: ['delete pods -n shop', 'get nodes'] }
  - { id: any, role: authenticated, resource: prod, actions: ['list nodes'] }
`
const NOW = Date.UTC(2026, 2, 2, 12)
const config = targetOf({ authentication: {} })
const active: ActiveRole = { id: 'a1', issuer: 'entra', subject: 't/lea', role: 'lead', until: NOW + 60_000 }

describe('what is for a time in a cluster', () => {
  const policy = policyOf(RULES, {}, ROLES)
  const documents = documentsOf(policy)
  const { wiring } = inputOf(policy, config)
  const bound = (all: readonly ActiveRole[], now = NOW, of = policy): readonly TargetDocument[] =>
    timedBindings(documents, all, { config, wiring, model: of.model, now })
  const may = (all: readonly TargetDocument[], user: string, verb: string, resource: string, namespace = ''): boolean =>
    isAuthorized(readRbac([...documents, ...all]), {
      user,
      groups: ['system:authenticated'],
      verb,
      apiGroup: '',
      resource,
      subresource: '',
      namespace,
      name: 'x',
    })

  it('binds whoever has activated a role to what it gives and includes, and to nothing else', () => {
    const all = bound([active])
    assert.equal(all.length, 3)
    const lea = 'ostiary:entra:t/lea'
    assert.deepEqual(
      [may(all, lea, 'delete', 'pods', 'shop'), may(all, lea, 'list', 'pods', 'shop'), may(all, lea, 'get', 'nodes')],
      [true, true, true],
    )
    assert.deepEqual(
      [may([], lea, 'delete', 'pods', 'shop'), may(all, lea, 'delete', 'pods', 'bank'), may(all, lea, 'list', 'nodes')],
      [false, false, false],
    )
    assert.equal(may(all, 'ostiary:entra:t/ben', 'delete', 'pods', 'shop'), false)
    for (const { metadata } of all) {
      const { annotations, labels } = metadata as { readonly annotations: Record<string, string>; readonly labels: Record<string, string> }
      assert.equal(annotations['ostiary.dev/activation'], 'a1')
      assert.equal(endOf(annotations), active.until)
      assert.equal(labels['ostiary.dev/target'], 'prod')
    }
  })

  it('is one document for each activation and binding, always of the same name', () => {
    const names = (all: readonly TargetDocument[]) => all.map(({ metadata }) => (metadata as { readonly name: string }).name)
    assert.deepEqual(names(bound([active])), names(bound([active])))
    assert.equal(new Set(names(bound([active, { ...active, id: 'a2' }]))).size, 6)
  })

  it('binds nobody by what is over, or what the policy makes nobody of their issuer eligible for', () => {
    for (const other of [{ until: NOW }, { issuer: 'ci' }, { role: 'reader' }, { role: 'other' }, { role: 'authenticated' }, { role: '' }])
      assert.deepEqual(bound([{ ...active, ...other }]), [], JSON.stringify(other))
    const elsewhere = policyOf(RULES, { issuers: ['ci'] }, ROLES)
    assert.deepEqual(bound([active], NOW, elsewhere), [], 'nor of an issuer that does not come here')
  })

  it('takes an end that nobody can read for one that has been', () => {
    assert.equal(endOf({ 'ostiary.dev/until': 'some day' }), 0)
    assert.equal(endOf({}), undefined)
  })

  it('is not for clusters that know nobody by such names, or ask', () => {
    assert.equal(noTimed(config), undefined)
    assert.match(noTimed(targetOf())!, /the door/)
    assert.match(noTimed(targetOf({ subjects: 'object-ids', authentication: undefined }))!, /object-ids/)
    assert.match(
      noTimed(
        targetOf({
          authorization: {
            webhook: { url: 'https://gateway.example/webhooks/prod/authorize', credential: { tokenFile: '/etc/ostiary/token' } },
          },
        }),
      )!,
      /is asked/,
    )
  })
})
