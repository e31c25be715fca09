import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { decisionOf, done, identityOf, openTestLog, principalOf, temporary, testSigner } from '../audit/testdata/record.ts'
import type { KubernetesAction } from '../core/action.ts'
import { ManualClock } from '../testing/clock.ts'
import { run } from './testing.ts'

const TIME = Date.UTC(2026, 10, 22, 10)
const ACTION: KubernetesAction = {
  protocol: 'kubernetes',
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: '',
  namespace: 'shop',
  name: 'web',
  path: '',
}
let folder: ReturnType<typeof temporary>

before(async () => {
  folder = temporary()
  const log = await openTestLog(join(folder.path, 'audit'), testSigner(), { clock: new ManualClock(TIME) })
  for (const [at, id] of ['seen', 'unseen'].entries()) {
    log.decided(decisionOf(id, { time: TIME + at * 1000, resource: 'prod', door: 'kubernetes', action: ACTION }), 'spool')
    log.completed(id, done, 'spool')
  }
  const elsewhere = principalOf(identityOf({ evidence: { ...identityOf().evidence, tokenId: 'moved' } }))
  log.decided(decisionOf('elsewhere', { time: TIME, principal: elsewhere, ip: '198.51.100.7' }), 'spool')
  await log.close()
})

after(() => folder[Symbol.dispose]())

function event(id: string, more: object = {}, at = TIME + 15): object {
  return {
    auditID: id,
    stage: 'ResponseComplete',
    requestURI: '/api/v1/namespaces/shop/pods/web',
    verb: 'get',
    user: { username: 'gateway' },
    impersonatedUser: { username: 'ostiary:entra:tid/oid' },
    sourceIPs: ['203.0.113.9', '10.0.0.5'],
    objectRef: { resource: 'pods', namespace: 'shop', name: 'web' },
    responseStatus: { code: 200 },
    requestReceivedTimestamp: new Date(at).toISOString(),
    ...more,
  }
}

function write(name: string, text: string): string {
  const path = join(folder.path, name)
  writeFileSync(path, text)
  return path
}

const admin = { user: { username: 'admin\u001b]0;x\u0007' }, impersonatedUser: null, responseStatus: { code: 403 } }
const joined = (...args: string[]): ReturnType<typeof run> => run('audit', 'join', ...args, '--data', folder.path)

test('a log of the API server: what came another way is told, and nothing in it steers the terminal', async () => {
  const lines = [
    event('seen', { stage: 'RequestReceived' }),
    event('seen'),
    event('foreign', admin),
    event('n', { ...admin, user: { username: 'system:node:a' } }),
  ]
  const file = write('audit.log', `${lines.map((line) => JSON.stringify(line)).join('\n')}\nnot json\n`)
  const { exit, out } = await joined('kubernetes', file)
  assert.equal(exit, 1)
  assert.equal(
    out,
    '2026-11-22 10:00:00  foreign  came another way  admin?]0;x?  get pods web -n shop  403 from 203.0.113.9, 10.0.0.5\n' +
      '1 joined, 1 bypassed, 0 denied, 0 someone-else, 0 differs, 0 reused, 1 component, 0 unseen; 1 value that is no event\n',
  )
  const json = (await joined('kubernetes', file, '--json')).out.trimEnd().split('\n')
  assert.deepEqual((JSON.parse(json[0]!) as { kind: string; event: { user: string } }).event.user, 'admin\u001b]0;x\u0007')
  assert.equal((await joined('kubernetes', file, '--component', 'admin\u001b]0;x\u0007')).exit, 0)
  assert.match((await joined('kubernetes', file, '--gateway', '10.0.0.6')).out, /^2026-11-22 10:00:00 {2}seen {2}came another way/)
  assert.match((await joined('kubernetes', file, '--resource', 'other')).out, /seen {2}came another way/)
})

test('secrets of commands that were run past the gateway are not told again', async () => {
  const requestURI = '/api/v1/namespaces/shop/pods/web/exec?command=mysql&command=-psecret&stdin=true'
  const file = write('exec.log', JSON.stringify(event('past', { ...admin, requestURI })))
  const { out } = await joined('kubernetes', file, '--json')
  const { uri } = (JSON.parse(out.split('\n')[0]!) as { event: { uri: string } }).event
  assert.equal(decodeURIComponent(uri), '/api/v1/namespaces/shop/pods/web/exec?stdin=true&command=mysql&command=-p‹redacted›')
})

test('of AKS in one document; what the gateway let through and the log has not', async () => {
  const record = (one: object): object => ({ category: 'kube-audit', properties: { log: JSON.stringify(one) } })
  const records = [record(event('seen', { verb: 'delete' })), record(event('late', admin, TIME + 100_000))]
  const file = write('aks.json', JSON.stringify({ records }, undefined, 2))
  const { out } = await joined('kubernetes', file, '--complete')
  assert.match(out, /seen {2}was decided otherwise .* delete pods web -n shop \(decided: get pods web -n shop\)/)
  assert.match(out, /unseen {2}was let through by the gateway, and is not in the log {2}prod/)
  assert.match(out, /0 joined, 1 bypassed, 0 denied, 0 someone-else, 1 differs, 0 reused, 0 component, 1 unseen/)
})

test('sign-ins of Entra by the token', async () => {
  const signIn = (id: string, ip: string): object => ({
    id,
    uniqueTokenIdentifier: id,
    createdDateTime: '2026-11-22T09:59:00Z',
    userPrincipalName: 'reader@example.com',
    appDisplayName: 'Ostiary',
    ipAddress: ip,
    conditionalAccessStatus: 'success',
    status: { errorCode: 0 },
  })
  const file = write('signins.json', JSON.stringify([signIn('uti', '127.0.0.1'), signIn('moved', '127.0.0.1')], undefined, 1))
  const { exit, out } = await joined('entra', file)
  assert.equal((await joined('entra', write('marked.json', `\ufeff${readFileSync(file, 'utf8')}`))).out, out)
  assert.equal(exit, 1)
  assert.equal(
    out,
    'uti  from its sign-in  entra/tid/oid (reader)  2 decisions from 127.0.0.1  2026-11-22 09:59:00 reader@example.com at 127.0.0.1, Ostiary, conditional access success\n' +
      'moved  PRESENTED FROM ELSEWHERE  entra/tid/oid (reader)  1 decision from 198.51.100.7  2026-11-22 09:59:00 reader@example.com at 127.0.0.1, Ostiary, conditional access success\n' +
      '1 joined, 1 moved, 0 failed, 0 unknown; 2 sign-ins, 0 values that are none\n',
  )
  assert.match((await joined('entra', file, '--issuer', 'other')).out, /^0 joined/)
})

test('files that are none', async () => {
  const missing = await joined('kubernetes', join(folder.path, 'missing.log'))
  assert.equal(missing.exit, 66)
  assert.match(missing.err, /can not be read \(ENOENT\)/)
  assert.match((await joined('kubernetes', write('words', 'no log at all'))).err, /can not be read \(it is no JSON\)/)
  const none = await joined('kubernetes', write('other.json', '{"a":1}'))
  assert.deepEqual([none.exit, none.out], [1, 'there is no event in 1 value\n'])
})
