/** Random patterns and actions of every protocol over a small alphabet, so that they meet often. For property tests. */
import * as fc from 'fast-check'
import type { Action, Protocol } from '../../core/action.ts'
import { action as httpAction, actionText } from './random.ts'

const words = (...all: string[]) => fc.constantFrom(...all)
const some = (...all: string[]) => fc.subarray(all, { minLength: 1 }).map((list) => list.join())
const text = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((all) => all.join(''))

export interface Sample {
  /** Not every one is a pattern. */
  readonly pattern: fc.Arbitrary<string>
  /** Not every one is canonical. */
  readonly action: fc.Arbitrary<Action>
  /** Conditions over its requests. */
  readonly conditions: readonly string[]
}

const glob = words('a', 'b', 'ab', 'a*', '*a', '*b', 'a*b', '*')
const name = words('a', 'b', 'ab', 'aab', 'ba', 'c', 'acb')

const kubernetesResource = fc
  .tuple(
    words('get', 'list', 'get,list', 'create', 'update', '*'),
    words('pods', 'nodes', '*', '*.apps', 'deployments.apps', 'namespaces'),
    words('', '', '/exec', '/log', '/*'),
    words('', '', ' a', ' a*', ' *b,c'),
    words('', '', ' -n a', ' -n a*', ' -n b,ab', ' -n *b'),
  )
  .map((parts) => parts.join(''))
  .map((one) => one.replace(/^(\S+?)(pods|nodes|\*|deployments|namespaces)/, '$1 $2'))

const kubernetes: Sample = {
  pattern: fc.oneof(
    { weight: 4, arbitrary: kubernetesResource },
    { weight: 1, arbitrary: text(words('get', '*', 'post'), words(' /', ' /a', ' /a/**', ' /*', ' /a*/b', ' /**')) },
  ),
  action: fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .record({
          protocol: fc.constant('kubernetes' as const),
          verb: words('get', 'list', 'create', 'update', 'bind'),
          group: words('', '', 'apps', 'x'),
          resource: words('pods', 'pods', 'nodes', 'deployments', 'namespaces', 'things'),
          subresource: words('', '', '', 'exec', 'log', 'x'),
          namespace: words('', '*', 'a', 'b', 'ab', 'c'),
          name: words('*', 'a', 'b', 'ab', 'c', 'A'),
          path: fc.constant(''),
        })
        .map((one) => ({
          ...one,
          // Others would not be canonical.
          verb: one.subresource === 'exec' ? 'create' : one.verb,
          namespace: one.resource === 'namespaces' && one.group === '' ? (one.name === '*' ? '' : one.name) : one.namespace,
        })),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        protocol: fc.constant('kubernetes' as const),
        verb: words('get', 'post'),
        group: fc.constant(''),
        resource: fc.constant(''),
        subresource: fc.constant(''),
        namespace: fc.constant(''),
        name: fc.constant(''),
        path: words('/', '/a', '/a/', '/a/b', '/b', '/ab/b', '/..'),
      }),
    },
  ),
  conditions: [
    'request.namespace == "a"',
    'request.verb in ["get", "list"]',
    'request.name.startsWith("a")',
    'request.subresource != "exec"',
  ],
}

const sql: Sample = {
  pattern: fc.oneof(
    {
      weight: 5,
      arbitrary: text(
        words('select', 'update', 'select,update', 'delete', '*', 'ddl'),
        fc.constant(' on '),
        words('a', 'b', 'a*', '*', '"A"'),
        fc.constant('.'),
        words('a', 'b', 'ab', 'a*', '*b', '*'),
        words('', '', '(a)', '(a, b)', '(a*)'),
      ),
    },
    { weight: 1, arbitrary: words('transaction', 'session', 'other', 'transaction,session') },
  ),
  action: fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .record({
          protocol: fc.constant('sql' as const),
          class: words('select', 'update', 'delete', 'ddl', 'insert'),
          schema: words('a', 'b', 'ab', 'A', '*'),
          object: words('a', 'b', 'ab', 'c', '*', 'ф'),
          column: words('a', 'b', 'ab', 'c', '*', 'a"b'),
        })
        .map((one) => (['delete', 'ddl'].includes(one.class) ? { ...one, column: '' } : one)),
    },
    {
      weight: 1,
      arbitrary: words('transaction', 'session').map((one) => ({
        protocol: 'sql' as const,
        class: one,
        schema: '',
        object: '',
        column: '',
      })),
    },
    { weight: 1, arbitrary: fc.constant({ protocol: 'sql' as const, class: 'other', schema: '*', object: '*', column: '*' }) },
  ),
  conditions: ['request.schema == "a"', 'request.column != "a"', 'request.class == "select"', 'request.object.endsWith("b")'],
}

const ssh: Sample = {
  pattern: fc.oneof(
    text(words('shell', 'exec', 'exec,shell', '*', 'agent'), fc.constant(' as '), words('a', 'a*', '*', 'root', 'a,root', '*b')),
    text(
      words('exec as a: ', 'exec as *: ', 'exec as root: '),
      words('a', 'a b', 'a *', 'a **', '* b', '* **', 'a -x', 'a *b', "a 'b c'", 'a* *', '* -*'),
    ),
    text(words('sftp read as a: ', 'sftp * as *: ', 'sftp read,list as a*: '), words('/', '/a', '/a/**', '/*', '/a*/b', '/**')),
    text(words('forward as a: ', 'listen as *: ', 'forward as *: '), words('a:1', '*.a:443', '*:1', '/a/b', '/a/*', 'a*:*')),
    words('subsystem as a: a', 'subsystem as *: *b', 'forward as a', 'sftp * as a'),
  ),
  action: fc.oneof(
    fc.record({
      protocol: fc.constant('ssh' as const),
      operation: words('shell', 'agent', 'x11'),
      login: words('a', 'ab', 'root', 'b'),
      access: fc.constant(''),
      target: fc.constant(''),
    }),
    fc.record(
      {
        protocol: fc.constant('ssh' as const),
        operation: fc.constant('exec'),
        login: words('a', 'ab', 'root'),
        access: fc.constant(''),
        command: fc.array(words('a', 'b', 'ab', '-x', '', 'b c', 'a;b'), { minLength: 1, maxLength: 3 }),
        target: fc.constant(''),
      },
      { requiredKeys: ['protocol', 'operation', 'login', 'access', 'target'] },
    ),
    fc.record({
      protocol: fc.constant('ssh' as const),
      operation: fc.constant('sftp'),
      login: words('a', 'ab', 'root'),
      access: words('read', 'write', 'list'),
      target: words('/', '/a', '/a/b', '/ab/b', '/a/b/c', '*', '/ф'),
    }),
    fc.record({
      protocol: fc.constant('ssh' as const),
      operation: words('forward', 'listen', 'subsystem'),
      login: words('a', 'b'),
      access: fc.constant(''),
      target: words('a:1', 'x.a:443', 'b:1', 'ab:22', '[::1]:1', '/a/b', '/a', '*', 'a', 'ab'),
    }),
  ),
  conditions: [
    'size(request.command) == 2',
    '"-x" in request.command',
    'request.login == "a"',
    'request.command[0] == "a"',
    'request.target.startsWith("/a")',
    'request.operation != "exec"',
  ],
}

const container: Sample = {
  pattern: fc.oneof(
    text(
      words('run', 'run,exec', 'exec', 'logs', '*', 'stop'),
      words(' a', ' a.b/a', ' a.b/**', ' a.b/*', ' *', ' a:1', ' *:1*', ' a:1*'),
      words('', '', ' named a', ' named a*', ' named *b'),
      words(
        '',
        '',
        ' with privileged',
        ' with *',
        ' with mount /a/**',
        ' with mount /**',
        ' with mount /a:ro, devices',
        ' with host-pid, mount /*',
      ),
    ),
    words('pull a', 'pull,push a.b/**', 'build *', 'volume', 'info,events', '* *', 'volume with privileged'),
  ),
  action: fc
    .record({
      protocol: fc.constant('container' as const),
      operation: words('run', 'run', 'exec', 'logs', 'stop', 'pull', 'build', 'volume', 'info'),
      repository: words('docker.io/library/a', 'a.b/a', 'a.b/a/b', '*', 'localhost/x', 'b:1/c'),
      version: words(':1', ':12', ':x', '*', `@sha256:${'0'.repeat(64)}`),
      name: words('a', 'ab', 'b', '*'),
      options: fc.subarray(['devices', 'host-pid', 'mount /', 'mount /a', 'mount /a/b', 'mount /a:ro', 'privileged'], { maxLength: 3 }),
    })
    .map(({ options, ...one }) => {
      const has = ['run', 'exec', 'build', 'volume'].includes(one.operation) ? options : []
      if (['volume', 'info'].includes(one.operation)) return { ...one, repository: '', version: '', name: '', options: has }
      return {
        ...one,
        version: one.repository === '*' ? '*' : one.version,
        name: ['pull', 'build'].includes(one.operation) ? '' : one.name,
        options: has,
      }
    }),
  conditions: [
    '"privileged" in request.options',
    'size(request.options) == 0',
    'request.version == ":1"',
    'request.name.startsWith("a")',
    'request.operation == "run"',
  ],
}

const uri = words('file:///a/**', 'file:///a/*', 'file:///a', '*', 'x:a', 'file:///*/b', 'x:**')
const mcp: Sample = {
  pattern: fc.oneof(
    text(words('tools/call ', 'prompts/get '), glob),
    text(words('resources/read ', 'resources/read,resources/subscribe '), uri),
    words('*', 'tools/list', 'tools/list,ping', 'sampling/createMessage'),
  ),
  action: fc.oneof(
    fc.record({
      protocol: fc.constant('mcp' as const),
      method: words('tools/call', 'tools/call', 'prompts/get'),
      name,
      arguments: fc.constantFrom({}, { x: 1 }, { x: 2 }, { x: 'a' }, { x: { y: 1 } }, { x: [1] }, { x: null }, { y: true }),
    }),
    fc.record({
      protocol: fc.constant('mcp' as const),
      method: words('resources/read', 'resources/subscribe'),
      name: words('file:///a', 'file:///a/b', 'file:///a/b/c', 'x:a', 'file:////b', 'x:/a'),
    }),
    fc.record({
      protocol: fc.constant('mcp' as const),
      method: words('tools/list', 'ping', 'sampling/createMessage', 'x/y', '1'),
      name: fc.constant(''),
    }),
  ),
  conditions: [
    'request.arguments.x == 1',
    'request.arguments.x <= 1',
    'request.arguments.x in [1, 2]',
    'has(request.arguments.y)',
    'request.name == "a"',
    'request.method != "ping"',
  ],
}

const llm: Sample = {
  pattern: fc.oneof(
    text(some('chat', 'embed', 'tune'), fc.constant(' '), fc.oneof(glob, words('a,b', 'a*,*b'))),
    words('*', 'models', 'models,batch', '* a*', 'file'),
  ),
  action: fc.oneof(
    fc.record(
      {
        protocol: fc.constant('llm' as const),
        operation: words('chat', 'embed', 'tune', 'image'),
        model: name,
        tokens: fc.constantFrom(0, 5, 6, 100),
      },
      { requiredKeys: ['protocol', 'operation', 'model'] },
    ),
    fc.record({ protocol: fc.constant('llm' as const), operation: words('models', 'batch', 'file'), model: fc.constant('') }),
  ),
  conditions: [
    'request.tokens <= 5',
    'request.tokens < 100 && request.tokens > 5',
    'has(request.tokens)',
    'request.model == "a"',
    'request.operation == "chat"',
  ],
}

const http: Sample = {
  pattern: actionText,
  action: httpAction,
  conditions: ['request.method == "GET"', 'request.path == "/a"', 'request.path.startsWith("/a")'],
}

export const samples: Readonly<Record<Protocol, Sample>> = { http, kubernetes, sql, ssh, container, mcp, llm }
