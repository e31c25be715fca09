import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { decisionOf, openTestLog, recordsOf, signerOf, temporary } from './testdata/record.ts'
import { verify } from './verify.ts'

/** Runs the writer until it has acknowledged some records, kills it, and answers all acknowledgements that came through. */
async function writeAndKill(dir: string, key: string, characters: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'testdata/writer.ts'), dir, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const chunk of child.stdout) {
    output += String(chunk)
    if (output.length > characters && !child.killed) child.kill('SIGKILL')
  }
  return output.split('\n').slice(0, -1)
}

test('kill -9 under load loses no record that was acknowledged, and the chain goes on', async () => {
  using folder = temporary()
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = join(folder.path, 'key.pem')
  const dir = join(folder.path, 'audit')
  writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }))
  const signer = signerOf(privateKey)
  const acknowledged: string[] = []
  for (let round = 1; round <= 5; round++) {
    const ids = await writeAndKill(dir, key, 1000 + round * 2357)
    assert.ok(ids.length > 50)
    acknowledged.push(...ids)
    const result = await verify(dir, { keys: [signer.jwk] })
    assert.equal(result.problem, undefined)
    assert.equal(result.closed, false)
  }
  const log = await openTestLog(dir, signer)
  await log.decided(decisionOf('after'), 'strict')
  await log.close()
  const recorded = new Set(recordsOf(dir).flatMap(({ kind, id }) => (kind === 'decision' ? [id] : [])))
  assert.deepEqual(
    acknowledged.filter((id) => !recorded.has(id)),
    [],
  )
  assert.ok(recorded.has('after'))
  const result = await verify(dir, { keys: [signer.jwk] })
  assert.ok(result.ok && result.closed, result.problem?.text)
  assert.equal(recordsOf(dir).filter(({ event }) => event === 'audit-opened').length, 6)
})
