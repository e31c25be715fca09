import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { certifiedBy, testAuthority, type Pair } from '../testing/pki.ts'
import { PairsOfFiles } from './envoyfiles.ts'

const FILES = { cert: 'a.pem', key: 'a-key.pem', clientCa: 'ca.pem' }

describe('certificates that are read again', () => {
  let folder: string
  let [authority, first, second]: Pair[] = []
  const lines: string[] = []
  let files: PairsOfFiles

  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const put = ({ cert, key }: Pair): void => {
    write(FILES.cert, cert)
    write(FILES.key, key)
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-pairs-'))
    authority = await testAuthority('one')
    ;[first, second] = await Promise.all([certifiedBy(authority, { names: [] }), certifiedBy(authority, { names: [] })])
    write(FILES.clientCa, authority.cert)
    files = new PairsOfFiles(folder, (line) => void lines.push(line))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('what is not there at the beginning is an error that names the file', () => {
    assert.throws(() => files.pair('tls', FILES), { code: 'http/certificate', message: /a\.pem` can not be used for TLS \(ENOENT\)/ })
  })

  test('the same files are the same pair, and others another', () => {
    put(first!)
    const one = files.pair('tls', FILES)
    assert.deepEqual(one, { cert: first!.cert, key: first!.key, ca: authority!.cert })
    assert.equal(files.pair('tls', FILES), one)
    put(second!)
    assert.equal(files.pair('tls', FILES).cert, second!.cert)
  })

  const broken: readonly (readonly [what: string, file: string, text: () => string, said: RegExp])[] = [
    ['half of a rotation', FILES.cert, () => first!.cert, /it does not belong to its key/],
    ['an empty key', FILES.key, () => '', /no private key in it/],
    ['no certificate', FILES.cert, () => 'hello', /no certificate in it/],
    ['no authority', FILES.clientCa, () => '', /no certificate in it/],
  ]
  for (const [what, file, text, said] of broken)
    test(`${what} leaves what was good, and is said once`, () => {
      put(second!)
      write(FILES.clientCa, authority!.cert)
      const good = files.pair('tls', FILES)
      lines.length = 0
      write(file, text())
      assert.equal(files.pair('tls', FILES), good)
      assert.equal(files.pair('tls', FILES), good)
      assert.deepEqual(lines.length, 1)
      assert.match(lines[0]!, said)
      assert.doesNotMatch(lines[0]!, /BEGIN/)
    })
})
