import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { SshAction } from '../../../core/action.ts'
import {
  actionOf,
  coversAsSaid,
  holdsComparison,
  holdsIndex,
  holdsTotal,
  meetsNothing,
  refusesActions,
  refusesPatterns,
} from '../../../testing/actionlaws.ts'
import { character } from '../../../testing/text.ts'
import { ssh } from './index.ts'
import { wordsOf } from './words.ts'

const act = (text: string): SshAction => actionOf(ssh, text)

coversAsSaid(ssh, [
  ['shell as deploy', 'shell as deploy', true, true],
  ['shell as deploy', 'shell as admin', false, false],
  ['shell as *', 'shell as deploy', true, true],
  ['shell as team-*,deploy', 'shell as team-a', true, true],
  // root has to be named.
  ['shell as *', 'shell as root', false, true],
  ['shell as r*', 'shell as root', false, true],
  ['shell as root', 'shell as root', true, true],
  ['* as deploy', 'exec as deploy: id', true, true],
  ['* as deploy', 'sftp write as deploy: /x', true, true],
  // What leads through the host, or lends something to it, has to be named.
  ['* as deploy', 'forward as deploy: db:5432', false, true],
  ['* as deploy', 'listen as deploy: localhost:80', false, true],
  ['* as deploy', 'agent as deploy', false, true],
  ['* as deploy', 'x11 as deploy', false, true],
  ['* as deploy', 'subsystem as deploy: netconf', false, true],
  ['exec as deploy: systemctl restart *', 'exec as deploy: systemctl restart nginx', true, true],
  ['exec as deploy: systemctl restart *', 'exec as deploy: systemctl stop nginx', false, false],
  ['exec as deploy: systemctl restart *', 'exec as deploy: systemctl restart', false, false],
  ['exec as deploy: systemctl restart *', 'exec as deploy: systemctl restart a b', false, false],
  ['exec as deploy: systemctl restart **', 'exec as deploy: systemctl restart', true, true],
  ['exec as deploy: systemctl restart **', 'exec as deploy: systemctl restart -f a b', true, true],
  ['exec as deploy: systemctl restart web-*', 'exec as deploy: systemctl restart web-1', true, true],
  // A star is no option, and nothing that a shell would look at.
  ['exec as deploy: systemctl restart *', 'exec as deploy: systemctl restart --force', false, true],
  ['exec as deploy: tar -*', 'exec as deploy: tar -x', true, true],
  ['exec as deploy: echo *', "exec as deploy: echo 'a;b'", false, true],
  ['exec as deploy: echo **', "exec as deploy: echo 'a b'", false, true],
  ['exec as deploy: echo *', "exec as deploy: echo ''", false, true],
  ["exec as deploy: psql -c 'select 1;'", "exec as deploy: psql -c 'select 1;'", true, true],
  ["exec as deploy: psql -c 'select 1;'", 'exec as deploy: psql -c "select 1;"', true, true],
  ["exec as deploy: find / -name '*'", "exec as deploy: find / -name '*'", true, true],
  ["exec as deploy: find / -name '*'", 'exec as deploy: find / -name x', false, false],
  ['exec as deploy: ls', 'exec as deploy: "l"s', true, true],
  // What a shell makes something else of can't be told.
  ['exec as deploy: ls **', 'exec as deploy: ls; rm -rf /', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls $(id)', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls | sh', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls `id`', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls > /etc/passwd', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls ~', false, true],
  ['exec as deploy: ls **', 'exec as deploy: PATH=/tmp ls', false, true],
  ['exec as deploy: ls **', 'exec as deploy: l\\s', false, true],
  ['exec as deploy: ls **', 'exec as deploy: ls "$HOME"', false, true],
  ['exec as deploy: ls **', 'exec as deploy', false, true],
  ['exec as deploy', 'exec as deploy: ls; rm -rf /', true, true],
  ['exec as deploy: rm **', 'exec as deploy: true && rm x', false, true],
  ['exec as deploy: * **', 'exec as deploy: anything x', true, true],
  ['sftp read as deploy: /var/log/**', 'sftp read as deploy: /var/log/app/x.log', true, true],
  ['sftp read as deploy: /var/log/**', 'sftp read as deploy: /var/log', false, false],
  ['sftp read as deploy: /var/log/*.log', 'sftp read as deploy: /var/log/a.log', true, true],
  ['sftp read as deploy: /var/log/*.log', 'sftp read as deploy: /var/log/a/b.log', false, false],
  ['sftp read as deploy: /var/log/**', 'sftp write as deploy: /var/log/x', false, false],
  ['sftp read,list as deploy', 'sftp list as deploy: /', true, true],
  ['sftp * as deploy: /srv/**', 'sftp remove as deploy: /srv/x', true, true],
  ['sftp read as deploy: /srv/**', 'sftp read as deploy', false, true],
  ['forward as deploy: db.internal:5432', 'forward as deploy: db.internal:5432', true, true],
  ['forward as deploy: *.internal:5432', 'forward as deploy: db.internal:5432', true, true],
  ['forward as deploy: db.internal:*', 'forward as deploy: db.internal:22', true, true],
  ['forward as deploy: db.internal:5432', 'forward as deploy: db.internal:22', false, false],
  ['forward as deploy: [::1]:*', 'forward as deploy: [::1]:22', true, true],
  ['forward as deploy: /run/*.sock', 'forward as deploy: /run/docker.sock', true, true],
  ['forward as deploy: *:*', 'forward as deploy: /run/docker.sock', false, false],
  ['forward as deploy', 'forward as deploy: /run/docker.sock', true, true],
  ['subsystem as deploy: netconf', 'subsystem as deploy: netconf', true, true],
])

refusesPatterns(ssh, [
  ['shell', /operation and a login/],
  ['shell deploy', /operation and a login/],
  ['Shell as deploy', /not one of operations/, /`shell`/],
  ['shel as deploy', /not one of operations/, /did you mean `shell`/],
  ['shell as deploy: x', /on nothing/],
  ['shell as de/ploy', /not a login/],
  ['sftp as deploy', /not what for/, /`sftp read`/],
  ['sftp raed as deploy', /not one of accesses/, /`read`/],
  ['shell read as deploy', /only said of `sftp`/],
  ['shell,exec as deploy: id', /several operations/],
  ['exec as deploy: ls; rm', /more to a shell/, /single quotes/],
  ['exec as deploy: ls | sh', /more to a shell/],
  ['exec as deploy: echo $HOME', /more to a shell/],
  ['exec as deploy: echo "$HOME"', /more to a shell/],
  ['exec as deploy: ls ** x', /only comes last/],
  ['exec as deploy: ls a**', /only comes last/],
  ["exec as deploy: ls 'a'*", /quotes/],
  ['exec as deploy: **', /no program/],
  ['exec as deploy: X=1 ls', /more to a shell/],
  ['sftp read as deploy: var/log', /does not start/, /`\/var\/log`/],
  ['sftp read as deploy: /a/../b', /canonical/],
  ['sftp read as deploy: /a//b', /canonical/],
  ['sftp read as deploy: /a/**/b', /only comes last/],
  ['forward as deploy: db', /host and a port/],
  ['forward as deploy: DB.internal:5432', /host and a port/],
  ['forward as deploy: *', /host and a port/],
])

refusesActions(ssh, [
  ['shell as *', /not a login/],
  ['shell,exec as deploy', /one operation/],
  ['sftp as deploy: /x', /not what for/],
  ['forward as deploy: db:99999', /what it is on/],
  ['sftp read as deploy: /a/../b', /what it is on/],
  ['subsystem as deploy: sftp x', /what it is on/],
])

describe('the words of a command', () => {
  const rows: readonly (readonly [command: string, words: readonly string[] | undefined])[] = [
    ['ls -l', ['ls', '-l']],
    ['a \'b c\' "d e"f', ['a', 'b c', 'd ef']],
    ["''x", ['x']],
    ["''", undefined],
    ['', undefined],
    ['a\nb', undefined],
    ["a 'b\nc'", undefined],
    ['a\tb', undefined],
    ['a # b', undefined],
    ['!!', undefined],
    ['a {b,c}', undefined],
    ['a b?', undefined],
    ['a [b]', undefined],
    ["a 'b", undefined],
    ['a=b', undefined],
    ["'a=b' c", ['a=b', 'c']],
    ['a b=c', ['a', 'b=c']],
    ['a & b', undefined],
    ['a <b', undefined],
    ['a "b\\"c"', undefined],
    ['a\u202eb', undefined],
  ]
  for (const [command, words] of rows) test(JSON.stringify(command), () => assert.deepEqual(wordsOf(command), words))
})

test('an action that has no canonical form is met by nothing', () => {
  meetsNothing(ssh, ['exec as *', '* as *'], act('exec as deploy: ls'), [
    { operation: 'Exec' },
    { operation: '*' },
    { login: '' },
    { login: '*' },
    { login: 'de ploy' },
    { login: 'd\u0435ploy' },
    { command: [] },
    { command: [''] },
    { command: ['ls', 'a\nb'] },
    { command: ['ls', '\u202e'] },
    { access: 'read' },
    { target: '/x' },
  ])
  meetsNothing(ssh, ['sftp * as *'], act('sftp read as deploy: /x'), [
    { target: '' },
    { target: '/a/../b' },
    { target: 'a' },
    { target: '/a//b' },
    { access: '' },
    { target: '/a/' },
  ])
})

test('what properties leave open can not be told', () => {
  assert.deepEqual(ssh.readParts('exec', { login: 'deploy', command: 'ls -l' }), act('exec as deploy: ls -l'))
  assert.deepEqual(ssh.readParts('exec', { login: 'deploy', command: ['ls', '-l'] }), act('exec as deploy: ls -l'))
  assert.deepEqual(ssh.readParts('exec', { login: 'deploy' }), act('exec as deploy'))
  assert.deepEqual(ssh.readParts('sftp', { login: 'deploy', access: 'read' }), act('sftp read as deploy'))
  assert.ok('problem' in ssh.readParts('shell', {}))
  assert.ok('problem' in ssh.readParts('shell', { login: 'deploy', command: 'ls' }))
  assert.ok('problem' in ssh.readParts('exec', { login: 'deploy', command: [7] }))
})

test('comparison is sound, and complete on a small alphabet', () => {
  const commands = ['', ': a', ': a *', ': a **', ': a b', ": a 'b;'", ': *', ': * **', ': a -*', ': a b*', ": a 'b;' **"]
  const texts = [
    ...commands.flatMap((one) => ['exec as u', 'exec as *'].map((head) => `${head}${one}`)),
    'exec as root',
    'exec as *,root',
    '* as u',
    '* as *',
    'shell,exec as u',
    'sftp read as u',
    'sftp read as u: /a',
    'sftp read,list as u: /a/**',
    'sftp * as u: /*',
    'forward as u',
    'forward as u: a:1',
    'forward as u: *:1',
    'forward as u: /a',
  ]
  const logins = ['u', 'v', 'root']
  const actions: SshAction[] = logins.flatMap((login) => [
    ...[
      undefined,
      ['a'],
      ['b'],
      ['a', 'b'],
      ['a', 'c'],
      ['a', 'bb'],
      ['a', 'b;'],
      ['a', '-b'],
      ['a', ''],
      ['a', 'b', 'c'],
      ['a', 'b;', 'c'],
      ['a', 'b', ';'],
      ['a', '-b', 'c'],
      ['a', 'b;', ';'],
      ['-'],
      ['-', 'x'],
      ['a;'],
      ['b', 'x;'],
    ].map((command): SshAction => ({
      protocol: 'ssh',
      operation: 'exec',
      login,
      access: '',
      ...(command === undefined ? {} : { command }),
      target: '',
    })),
    ...['shell', 'agent'].map((operation) => act(`${operation} as ${login}`)),
    ...['read', 'list', 'write'].flatMap((access) =>
      ['/', '/a', '/b', '/a/b', '/b/c', '*'].map((target): SshAction => ({ protocol: 'ssh', operation: 'sftp', login, access, target })),
    ),
    ...['a:1', 'b:1', 'a:2', '/a', '/b', '*'].map((target): SshAction => ({
      protocol: 'ssh',
      operation: 'forward',
      login,
      access: '',
      target,
    })),
  ])
  holdsComparison(ssh, texts, actions)
})

const words = (...all: string[]) => fc.constantFrom(...all)
const patternText = fc.oneof(
  fc
    .tuple(
      words('exec', 'exec', 'shell', '*', 'shell,exec'),
      words('u', '*', 'root', 'u,v', 'r*'),
      words('', '', ': a', ': a *', ': a **', ": a 'b;'"),
    )
    .map(([one, login, on]) => `${one} as ${login}${one === 'exec' ? on : ''}`),
  fc
    .tuple(words('sftp read', 'sftp *', 'sftp read,list'), words('u', '*'), words('', ': /a', ': /a/**', ': /*'))
    .map(([one, login, on]) => `${one} as ${login}${on}`),
  words('forward as u: a:1', 'forward as u: *:*', 'listen as u', 'subsystem as u: x*'),
)
const anyAction: fc.Arbitrary<SshAction> = fc.record({
  protocol: fc.constant('ssh' as const),
  operation: words('exec', 'exec', 'shell', 'sftp', 'forward', 'Exec'),
  login: words('u', 'v', 'root', '*'),
  access: words('', '', 'read', 'list'),
  command: fc.option(fc.array(words('a', 'b', 'b;', '-x', ''), { maxLength: 3 }), { nil: undefined }),
  target: words('', '', '/a', '/a/b', '*', 'a:1'),
})

test('the index agrees with the plain definition', () =>
  holdsIndex(
    ssh,
    patternText,
    fc.oneof(anyAction, words('exec as u: a', 'exec as u: a b', 'sftp read as u: /a/b', 'forward as u: a:1', 'shell as root').map(act)),
  ))

test('any text is a pattern or a problem, and an action that is read can be written and read again', () =>
  holdsTotal(ssh, fc.oneof(patternText, words("exec as u: a 'b c' ''", 'exec as u: a;b', 'shell as u', 'listen as u: a:1'))))

test('what a star of a rule stands for is nothing that a shell looks at', () =>
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 12 }), (text) => {
      const parsed = ssh.parse('exec as u: run *', 'grants').pattern!
      const action: SshAction = { protocol: 'ssh', operation: 'exec', login: 'u', access: '', command: ['run', text], target: '' }
      if (ssh.matches(parsed, action)) assert.match(text, /^[A-Za-z0-9_@%+=:,./][A-Za-z0-9_@%+=:,./-]*$/)
    }),
  ))
