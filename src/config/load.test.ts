import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { OstiaryError } from '../core/errors.ts'
import { readSources } from './load.ts'

function folder(context: TestContext, files: Readonly<Record<string, string | Uint8Array>>): string {
  const made = mkdtempSync(join(tmpdir(), 'ostiary-config-'))
  context.after(() => rmSync(made, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(made, path)), { recursive: true })
    writeFileSync(join(made, path), content)
  }
  return made
}

function refused(read: () => unknown, code: string, message: RegExp): void {
  assert.throws(read, (error) => error instanceof OstiaryError && error.code === code && message.test(error.message))
}

test('a folder is read in the order of its paths, tests apart, hidden entries left out', (context) => {
  const made = folder(context, {
    'ostiary.yaml': 'w',
    'policy/b.yaml': 'b',
    'policy/a/z.yml': 'z',
    'policy/a.test.yaml': 't',
    'policy/README.md': 'no',
    'policy/..data/b.yaml': 'hidden',
    'environments/prod.yaml': 'e',
  })
  assert.deepEqual(readSources(made), {
    wiring: { path: 'ostiary.yaml', text: 'w' },
    environment: undefined,
    policy: [
      { path: 'policy/a/z.yml', text: 'z' },
      { path: 'policy/b.yaml', text: 'b' },
    ],
    tests: [{ path: 'policy/a.test.yaml', text: 't' }],
  })
  assert.deepEqual(readSources(made, 'prod').environment, { name: 'prod', path: 'environments/prod.yaml', text: 'e' })
})

test('what is missing or can not be read is said, never left out', (context) => {
  refused(() => readSources(folder(context, {})), 'config/not-found', /ostiary\.yaml/)
  const made = folder(context, { 'ostiary.yaml': '', 'x.yaml': '' })
  assert.deepEqual(readSources(made).policy, [])
  refused(() => readSources(made, 'prod'), 'config/no-environment', /`prod`/)
  refused(() => readSources(made, '../x'), 'config/no-environment', /x/)
  refused(() => readSources(folder(context, { 'ostiary.yaml': new Uint8Array([0x61, 0xff]) })), 'config/unreadable', /not UTF-8/)
  refused(() => readSources(folder(context, { 'ostiary.yaml/x': '' })), 'config/unreadable', /not a file/)

  const dangling = folder(context, { 'ostiary.yaml': '', 'policy/a.yaml': '' })
  symlinkSync('nowhere', join(dangling, 'policy/b.yaml'))
  refused(() => readSources(dangling), 'config/unreadable', /b\.yaml.*ENOENT/)
  const circular = folder(context, { 'ostiary.yaml': '', 'policy/a.yaml': '' })
  symlinkSync('.', join(circular, 'policy/loop'))
  refused(() => readSources(circular), 'config/unreadable', /folders deep|ELOOP/)
  const pipe = folder(context, { 'ostiary.yaml': '', 'policy/a.yaml': '' })
  execFileSync('mkfifo', [join(pipe, 'policy/b.yaml')])
  refused(() => readSources(pipe), 'config/unreadable', /not a file/)
})
