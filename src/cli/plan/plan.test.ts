import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { main } from '../main.ts'

let repository: string
let folder: string

function git(...args: readonly string[]): void {
  execFileSync('git', ['-C', repository, '-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { stdio: 'pipe' })
}

function edit(path: string, change: (text: string) => string): void {
  const file = join(folder, path)
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

/** Runs the command line in process. */
async function plan(...args: readonly string[]): Promise<{ readonly exit: number; readonly out: string; readonly err: string }> {
  const written = { out: '', err: '' }
  const [out, err] = [process.stdout.write, process.stderr.write]
  // What is not text is the test runner's own.
  process.stdout.write = (text: string | Uint8Array) =>
    typeof text === 'string' ? ((written.out += text), true) : out.call(process.stdout, text)
  process.stderr.write = (text: string | Uint8Array) => ((written.err += String(text)), true)
  try {
    return { exit: await main(['plan', folder, '--no-replay', ...args]), ...written }
  } finally {
    process.stdout.write = out
    process.stderr.write = err
  }
}

describe('ostiary plan', () => {
  before(() => {
    repository = mkdtempSync(join(tmpdir(), 'ostiary-plan-'))
    folder = join(repository, 'gateway')
    mkdirSync(folder)
    cpSync(join(import.meta.dirname, '../../../examples/demo'), folder, { recursive: true })
    git('init', '-q', '-b', 'main')
    git('add', '-A')
    git('commit', '-q', '-m', 'first')
  })
  after(() => rmSync(repository, { recursive: true, force: true }))

  test('nothing changed', async () => {
    const { exit, out } = await plan('--fail-on', 'any')
    assert.equal(exit, 0)
    assert.match(out, /^from HEAD to the folder as it is\n\nno difference in access; 0 cells compared, 2 resources unchanged\n$/)
  })

  test('a wider version fails where it is asked to, a narrower one only with `any`', async () => {
    edit('policy/orders.yaml', (text) =>
      text.replace(
        'role: [publisher, admin], resource: orders, actions: [POST /orders]',
        'role: [publisher, admin, reader], resource: orders, actions: [POST /orders]',
      ),
    )
    const wider = await plan('--fail-on', 'widen')
    assert.equal(wider.exit, 1)
    assert.match(wider.out, /holders of `reader`\n {4}on orders: deny → allow\n {6}POST \/orders\n/)
    assert.equal((await plan()).exit, 0)
    const back = ['--from', folder, '--to', 'HEAD'] as const
    assert.equal((await plan(...back, '--fail-on', 'widen')).exit, 0)
    assert.equal((await plan(...back, '--fail-on', 'any')).exit, 1)
  })

  test('Markdown and JSON', async () => {
    const markdown = await plan('--format', 'markdown')
    assert.match(markdown.out, /^### Access: from HEAD to the folder as it is\n/)
    assert.match(
      markdown.out,
      /\| gained \| holders of <code>reader<\/code> \| <code>POST \/orders<\/code><br>on <code>orders<\/code> \| deny → allow \|/,
    )
    const { comparison } = JSON.parse((await plan('--format', 'json')).out) as {
      comparison: { changes: { who: { held: string[] }; witness: { identity: { claims: unknown } } }[] }
    }
    assert.deepEqual(comparison.changes[0]!.who.held, ['reader'])
    assert.deepEqual(comparison.changes[0]!.witness.identity.claims, { roles: ['Orders.Read'] })
  })

  test('a revision that is committed, and an environment', async () => {
    git('add', '-A')
    git('commit', '-q', '-m', 'second')
    assert.equal((await plan('--from', 'HEAD~1', '--to', 'HEAD', '--fail-on', 'widen')).exit, 1)
    assert.equal((await plan('--from', 'main', '--environment', 'production', '--fail-on', 'any')).exit, 0)
  })

  test('what no comparison of policies covers is not proven', async () => {
    edit('ostiary.yaml', (text) =>
      text.replace('tenants: [0571a27e-0000-4000-8000-00000000000a]', 'tenants: [0571a27e-0000-4000-8000-00000000000b]'),
    )
    const { exit, out } = await plan('--fail-on', 'widen')
    assert.equal(exit, 2)
    assert.match(out, /not proven\n {2}on ostiary.yaml: `issuers.entra.tenants` is different/)
    edit('ostiary.yaml', (text) => text.replace('00000000000b]', '00000000000a]').replace('http://127.0.0.1:8083', 'http://127.0.0.1:8084'))
    const beside = await plan('--fail-on', 'any')
    assert.equal(beside.exit, 0)
    assert.match(beside.out, /also different, without changing access: `resources.orders.upstream`/)
  })

  for (const ref of ['nosuch', '--output=/tmp/x', '-x', 'HEAD:policy', 'a b', '../..', ''])
    test(`no revision: ${JSON.stringify(ref)}`, async () => {
      const { exit, err } = await plan(`--from=${ref}`)
      assert.equal(exit, 66)
      assert.match(err, /can not be read as a Git revision/)
    })

  test('a link in a revision is not followed', async () => {
    symlinkSync('/etc/passwd', join(folder, 'policy/link.yaml'))
    git('add', '-A')
    git('commit', '-q', '-m', 'link')
    const { exit, err } = await plan('--to', 'HEAD', '--from', 'HEAD~1')
    assert.equal(exit, 66)
    assert.match(err, /HEAD:policy\/link.yaml` can not be read \(it is not a file\)/)
    git('rm', '-q', '-f', join(folder, 'policy/link.yaml'))
    git('commit', '-q', '-m', 'no link')
  })

  test('a record that is not there', async () => {
    const { exit, err } = await plan('--replay', join(repository, 'nothing'))
    assert.equal(exit, 66)
    assert.match(err, /there is no record in/)
  })

  test('a version that is wrong is told as `check` tells it', async () => {
    edit('policy/orders.yaml', (text) => `${text}  - { id: bad, for: [nobody], resource: orders, deny: [GET /x] }\n`)
    const { exit, err } = await plan()
    assert.equal(exit, 65)
    assert.match(err, /policy\/unknown-role/)
  })
})
