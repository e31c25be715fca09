import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openTestLog } from '../audit/testdata/record.ts'
import { systemClock, systemEntropy } from '../core/clock.ts'
import { DiagnosticsError, OstiaryError } from '../core/errors.ts'
import { openKeyring, readPublicKeys } from '../secrets/keyring.ts'
import { run } from './testing.ts'
import { testKey } from '../testing/tokens.ts'
import { commands } from './commands/index.ts'
import { program } from './main.ts'
import { renderDiagnostic } from './output.ts'

test('every command is there, with a description', () => {
  const root = program(() => {})
  assert.equal(root.commands.length, commands.length)
  assert.deepEqual(
    root.commands.map((command) => command.name()),
    [
      'up',
      'init',
      'token',
      'login',
      'logout',
      'whoami',
      'kubeconfig',
      'kube-token',
      'check',
      'test',
      'plan',
      'policy',
      'compile',
      'import',
      'apply',
      'drift',
      'targets',
      'rollout',
      'prove',
      'envoy',
      'doctor',
      'explain',
      'who-can',
      'can-i',
      'access',
      'activate',
      'activations',
      'audit',
      'sessions',
      'recordings',
      'revoke',
      'revocations',
      'keys',
      'completion',
      'lsp',
    ],
  )
})

test('wrong usage is 2 and says what was meant', async () => {
  const { exit, err } = await run('chek')
  assert.equal(exit, 2)
  assert.match(err, /check/)
})

test('`up` without a configuration says what to write', async () => {
  const { exit, err } = await run('up')
  assert.equal(exit, 2)
  assert.match(err, /ostiary up --config DIR/)
})

test('`check` names file, line and what was meant, and answers JSON', async () => {
  const missing = await run('check', '/nowhere/at/all')
  assert.equal(missing.exit, 66)
  assert.match(missing.err, /ostiary\.yaml/)
  const json = await run('check', '/nowhere/at/all', '--json')
  assert.equal((JSON.parse(json.out) as { error: { code: string } }).error.code, 'config/not-found')
})

test('`doctor token` reads a file, answers people and scripts, and fails for what is wrong', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-'))
  try {
    const file = join(folder, 'given')
    writeFileSync(file, 'AADSTS50105: x eyJsecret')
    const human = await run('doctor', 'token', file, '--config', 'examples/demo')
    assert.deepEqual([human.exit, human.err], [1, ''])
    assert.match(
      human.out,
      /^error\n {2}cause {5}AADSTS50105: the account is not assigned .*\n {2}change {4}in the registration at the provider: assign/,
    )
    const json = await run('doctor', 'token', file, '--config', 'examples/demo', '--json')
    assert.equal((JSON.parse(json.out) as { outcome: string }).outcome, 'error')
    assert.doesNotMatch(human.out + json.out, /eyJsecret/)
    writeFileSync(file, '')
    assert.equal((await run('doctor', 'token', file, '--config', 'examples/demo')).exit, 2)
    const argument = await run('doctor', 'token', 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln', '--config', 'examples/demo')
    assert.equal(argument.exit, 66)
    assert.doesNotMatch(argument.err + argument.out, /eyJ/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('`init` without a terminal says what is missing', async () => {
  const { exit, err } = await run('init', '/nowhere/at/all', '--yes', '--provider', 'okta')
  assert.equal(exit, 2)
  assert.match(err, /missing: `--issuer <url>`, `--api <url>`, `--client-id <id>`/)
})

test('a gateway that is not there is one clear line', async () => {
  const { exit, err } = await run('whoami', '--admin', 'http://127.0.0.1:9')
  assert.equal(exit, 69)
  assert.match(err, /no gateway answers at http:\/\/127\.0\.0\.1:9/)
  assert.ok(!err.includes('    at '), err)
})

test('the record is proven with keys that were kept elsewhere, and with no others', async () => {
  const data = mkdtempSync(join(tmpdir(), 'ostiary-verify-'))
  try {
    const keyring = openKeyring({ dir: join(data, 'keys'), clock: systemClock, entropy: systemEntropy })
    const log = await openTestLog(join(data, 'audit'), keyring.checkpoint)
    log.note({ kind: 'started', time: Date.now(), details: {} })
    await log.close()
    const shown = await run('keys', 'public', '--data', data)
    assert.equal(shown.exit, 0)
    assert.ok(!shown.out.includes('"d"'), 'no private part')
    const file = join(data, 'kept.json')
    writeFileSync(file, shown.out)
    assert.equal((await run('audit', 'verify', data, '--keys', file)).exit, 0)
    const other = openKeyring({ dir: join(data, 'other'), clock: systemClock, entropy: systemEntropy })
    writeFileSync(
      file,
      JSON.stringify({
        keys: [
          { kty: 'OKP', crv: 'Ed25519', kid: other.checkpoint.kid, x: readPublicKeys(join(data, 'other'), 'checkpoint').keys[0]!['x'] },
        ],
      }),
    )
    const wrong = await run('audit', 'verify', data, '--keys', file)
    assert.equal(wrong.exit, 1, wrong.out)
    writeFileSync(file, '{"keys":[]}')
    const empty = await run('audit', 'verify', data, '--keys', file)
    assert.equal(empty.exit, 66)
    assert.match(empty.err, /holds no public checkpoint keys/)
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
})

test('completion scripts are shell that the shell can read', async () => {
  const { out } = await run('completion', 'bash')
  const checked = spawnSync('bash', ['-n'], { input: out, encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stderr)
  const completed = spawnSync('bash', ['-c', `${out}\nCOMP_WORDS=(ostiary audit ver); COMP_CWORD=2; _ostiary; echo "\${COMPREPLY[@]}"`], {
    encoding: 'utf8',
  })
  assert.equal(completed.stdout.trim(), 'verify')
  for (const shell of ['zsh', 'fish']) assert.match((await run('completion', shell)).out, /ostiary/)
  assert.equal((await run('completion', 'tcsh')).exit, 2)
})

test('a diagnostic shows its place', () => {
  const shown = renderDiagnostic({
    code: 'config/missing',
    severity: 'error',
    message: '`a` is missing',
    help: 'add it',
    span: { file: 'no/such.yaml', line: 3, column: 5, endLine: 3, endColumn: 6 },
  })
  assert.match(shown, /--> no\/such\.yaml:3:5/)
  assert.match(shown, /help: add it/)
  assert.ok(new DiagnosticsError([]).message.length > 0)
  assert.equal(new OstiaryError('cli/no-config').exit, 2)
})

test('`doctor issuer` is 0 where all is well, and 1 where something is wrong', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-cli-'))
  try {
    const keys = JSON.stringify({ keys: [testKey('k', 'ES256').jwk] })
    const batch = 'issuers:\n  batch: { kind: jwt, issuer: batch, audiences: [orders], keys: [{ file: keys.json }] }\n'
    writeFileSync(join(folder, 'ostiary.yaml'), `apiVersion: ostiary.dev/v1\n${batch}resources: {}\ndoors: {}\n`)
    const bad = await run('doctor', 'issuer', 'batch', '--config', folder)
    assert.deepEqual([bad.exit, bad.err], [1, ''])
    assert.match(bad.out, /^wrong {5}provider {2}keys\.json is not used: ENOENT\n {20}help: write public keys there/)
    writeFileSync(join(folder, 'keys.json'), keys)
    const good = await run('--json', 'doctor', 'issuer', 'batch', '--config', folder)
    assert.equal(good.exit, 0)
    assert.deepEqual(JSON.parse(good.out), {
      issuer: 'batch',
      findings: [
        { check: 'provider', outcome: 'ok', found: '1 key' },
        { check: 'audience', outcome: 'ok', found: 'tokens are for `orders`' },
      ],
    })
    assert.equal((await run('doctor', 'issuer', 'other', '--config', folder)).exit, 2)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
