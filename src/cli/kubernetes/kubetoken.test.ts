/** The start-up path of `ostiary kube-token`: what it reads of kubectl and of kept sign-ins, and what it leaves alone. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { AHEAD, cachedCredential, execCredential, readExecInfo, tokenKey } from '../../../bin/kubetoken.js'

const V1 = 'client.authentication.k8s.io/v1'
const V1BETA1 = 'client.authentication.k8s.io/v1beta1'
const info = (spec: unknown, more: object = {}): string => JSON.stringify({ kind: 'ExecCredential', apiVersion: V1, spec, ...more })

describe('what kubectl says', () => {
  test('is read in both versions', () => {
    assert.deepEqual(readExecInfo(undefined), { version: V1, interactive: undefined })
    assert.deepEqual(readExecInfo(info({ interactive: true })), { version: V1, interactive: true })
    assert.deepEqual(readExecInfo(info({}, { apiVersion: V1BETA1 })), { version: V1BETA1, interactive: false })
    const cluster = { server: 'https://door.example/clusters/shop', 'certificate-authority-data': 'LS0t', config: { any: 1 } }
    assert.deepEqual(readExecInfo(info({ interactive: false, cluster })), { version: V1, interactive: false })
  })

  const wrong: readonly [string, string, RegExp][] = [
    ['text', 'yes', /is not JSON/],
    ['half of it', info({}).slice(0, -1), /is not JSON/],
    ['a list', '[]', /is not an ExecCredential/],
    ['null', 'null', /is not an ExecCredential/],
    ['another kind', info({}, { kind: 'Secret' }), /is not an ExecCredential/],
    ['the first version', info({}, { apiVersion: 'client.authentication.k8s.io/v1alpha1' }), /another version than/],
    ['no version', info({}, { apiVersion: undefined }), /another version than/],
    ['a spec that is none', info([]), /`spec` that is no object/],
    ['a spec of null', info(null), /`spec` that is no object/],
    ['interactive by text', info({ interactive: 'true' }), /neither true nor false/],
    ['a cluster that is none', info({ cluster: 'https://a' }), /`spec.cluster` that is no object/],
    ['a server without TLS', info({ cluster: { server: 'http://door.example' } }), /not reached by https/],
    ['a server that is none', info({ cluster: { server: 7 } }), /not reached by https/],
    ['too much', `${' '.repeat(1024 * 1024)}${info({})}`, /is longer than/],
  ]
  for (const [name, text, problem] of wrong)
    test(`is refused: ${name}`, () => {
      const read = readExecInfo(text)
      assert.ok('problem' in read)
      assert.match(read.problem, problem)
    })

  test('is refused or read, whatever it is, and never repeated', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc.anything().map((value) => JSON.stringify(value) ?? ''),
      fc
        .record({ kind: fc.constantFrom('ExecCredential', 'x', null), apiVersion: fc.constantFrom(V1, V1BETA1, 'v1'), spec: fc.anything() })
        .map((value) => JSON.stringify(value)),
    )
    fc.assert(
      fc.property(anything, (text) => {
        const read = readExecInfo(text)
        if ('problem' in read) assert.match(read.problem, /^(is|has|names) [\w`., /]+$/)
        else {
          assert.ok([V1, V1BETA1].includes(read.version))
          assert.ok([true, false, undefined].includes(read.interactive))
          assert.equal(read.interactive === undefined, text === '')
        }
      }),
      { numRuns: 500 },
    )
  })
})

test('kubectl is told an end before the token’s own, and one that is still to come', () => {
  const now = Date.UTC(2026, 0, 1)
  const at = (expires: number): unknown =>
    (JSON.parse(execCredential(V1, 't', expires, now)) as { status: { expirationTimestamp: string } }).status.expirationTimestamp
  assert.equal(at(now + 3_600_000), '2026-01-01T00:59:00Z')
  assert.equal(at(now + 30_000), '2026-01-01T00:00:30Z')
  assert.equal(at(Number.MAX_SAFE_INTEGER), '9999-12-31T23:59:59Z')
  assert.deepEqual(JSON.parse(execCredential(V1BETA1, 'a.b.c', now + 3_600_000, now)), {
    apiVersion: V1BETA1,
    kind: 'ExecCredential',
    status: { expirationTimestamp: '2026-01-01T00:59:00Z', token: 'a.b.c' },
  })
})

describe('a token that is kept', () => {
  const now = Date.UTC(2026, 0, 1)
  const url = 'http://127.0.0.1:8081'
  let home: string
  let file: string
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'ostiary-kubetoken-'))
    mkdirSync(join(home, 'ostiary'))
    file = join(home, 'ostiary/credentials.json')
  })
  after(() => rmSync(home, { recursive: true, force: true }))

  const keep = (entries: unknown, mode = 0o600): void => {
    writeFileSync(file, typeof entries === 'string' ? entries : JSON.stringify(entries))
    chmodSync(file, mode)
  }
  const ask = (args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<string | undefined> =>
    cachedCredential(args, { XDG_CONFIG_HOME: home, OSTIARY_KEYRING: 'none', ...env }, now)
  const good = { token: 'kept', expires: now + 3_600_000 }
  const scope = '6dae42f8-4368-4678-94ff-3960e28e3630/.default'

  test('is answered, each for its gateway and audience', async () => {
    keep({ [url]: good, 'https://other.example': { ...good, token: 'other' }, [tokenKey(url, scope)]: { ...good, token: 'scoped' } })
    assert.equal(await ask(), execCredential(V1, 'kept', good.expires, now))
    assert.equal(await ask(['--admin', `${url}//`]), execCredential(V1, 'kept', good.expires, now))
    assert.equal(await ask([], { OSTIARY_ADMIN: 'https://other.example/' }), execCredential(V1, 'other', good.expires, now))
    assert.equal(await ask(['--scope', scope, '--admin', url]), execCredential(V1, 'scoped', good.expires, now))
    assert.equal(
      await ask([], { KUBERNETES_EXEC_INFO: info({}, { apiVersion: V1BETA1 }) }),
      execCredential(V1BETA1, 'kept', good.expires, now),
    )
  })

  const left: readonly [string, unknown, (readonly string[])?, NodeJS.ProcessEnv?][] = [
    ['nobody is signed in', {}],
    ['there is one for another gateway', { 'https://other.example': good }],
    ['it ends soon', { [url]: { ...good, expires: now + AHEAD } }],
    ['its end is no number', { [url]: { ...good, expires: String(good.expires) } }],
    ['it is no token', { [url]: { ...good, token: 'two words' } }],
    ['it is no text', { [url]: { ...good, token: ['kept'] } }],
    ['the file is broken', '{"half'],
    ['the file holds something else', 'null'],
    ['the audience has none yet', { [url]: good }, ['--scope', 'x/.default']],
    ['the audience has one, but nobody is signed in any more', { [tokenKey(url, scope)]: good }, ['--scope', scope]],
    ['it is in a keyring that may not be asked', { [url]: { keyring: true } }],
    ['the name is one that every object has', {}, ['--admin', '__proto__']],
    ['there is an option more', { [url]: good }, ['--json', 'x']],
    ['an option has no value', { [url]: good }, ['--admin']],
    ['help is asked for', { [url]: good }, ['--admin', '--help']],
    ['kubectl says something wrong', { [url]: good }, [], { KUBERNETES_EXEC_INFO: '{}' }],
    ['another token is to be used', { [url]: good }, [], { OSTIARY_TOKEN: 'x' }],
  ]
  for (const [name, entries, args, env] of left)
    test(`is not: ${name}`, async () => {
      keep(entries)
      assert.equal(await ask(args, env), undefined)
    })

  test('is not: others could read or write the file', async () => {
    for (const mode of [0o640, 0o604, 0o620, 0o660]) {
      keep({ [url]: good }, mode)
      assert.equal(await ask(), undefined, mode.toString(8))
    }
    keep({ [url]: good })
    assert.notEqual(await ask(), undefined)
    assert.equal(await ask([], { XDG_CONFIG_HOME: join(home, 'nothing') }), undefined)
  })
})
