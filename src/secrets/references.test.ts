import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { resolveSecret } from './references.ts'

test('a secret is read from the environment, anew each time', () => {
  const env: NodeJS.ProcessEnv = { CLIENT_SECRET: 'one' }
  assert.equal(resolveSecret({ env: 'CLIENT_SECRET' }, '/', env).reveal(), 'one')
  env['CLIENT_SECRET'] = 'two'
  assert.equal(resolveSecret({ env: 'CLIENT_SECRET' }, '/', env).reveal(), 'two')
  for (const value of [undefined, '']) {
    env['CLIENT_SECRET'] = value
    assert.throws(() => resolveSecret({ env: 'CLIENT_SECRET' }, '/', env), { code: 'secrets/not-set', message: /`CLIENT_SECRET`/ })
  }
})

test('a secret is read from a file, without its last line break and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'secrets-'))
  const file = join(folder, 'secret')
  const read = (): string => resolveSecret({ file: 'secret' }, folder).reveal()
  try {
    assert.throws(read, { code: 'secrets/unreadable', message: /ENOENT/ })
    for (const [content, value] of [
      ['one', 'one'],
      ['two\n', 'two'],
      ['two\r\n', 'two'],
      [' two \n\n', ' two \n'],
    ] as const) {
      writeFileSync(file, content)
      assert.equal(read(), value)
    }
    for (const [content, cause] of [
      ['', /it is empty/],
      ['\n', /it is empty/],
      ['x'.repeat(65_537), /larger than 65536 bytes/],
    ] as const) {
      writeFileSync(file, content)
      assert.throws(read, { code: 'secrets/unreadable', message: cause })
    }
    assert.throws(() => resolveSecret({ file: '.' }, folder), { code: 'secrets/unreadable' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
