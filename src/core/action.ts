/**
 * The canonical action of each protocol: what a door makes of a native operation, and what a policy decides.
 * Matchers for them live in `policy/actions/<protocol>`, which also tell a canonical form from any other: what isn't
 * canonical is covered by nothing.
 *
 * A field that holds `*` is about all values at once, or about one that can't be told: `list pods -A`, `select *`. A rule
 * covers it only where it covers every value; a guardrail is met by it as soon as it names any.
 */
export type Action = HttpAction | KubernetesAction | SqlAction | SshAction | ContainerAction | McpAction | LlmAction

export type Protocol = Action['protocol']

/** The value of a field that is about all values at once, or about one that can't be told. */
export const ALL = '*'

/** An HTTP request as decided and as forwarded (RFC 9110). */
export interface HttpAction {
  readonly protocol: 'http'
  /** Case-sensitive, as received. */
  readonly method: string
  /** Canonical path with its leading slash, percent-encoded as received, without the query. */
  readonly path: string
}

/** A request to a Kubernetes API server, as its request attributes have it. */
export interface KubernetesAction {
  readonly protocol: 'kubernetes'
  /**
   * `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; `impersonate`, `escalate`, `bind`,
   * `approve`, `sign`, `attest` where the API server asks for them; of a path, the method in lower case. Of `exec`, `attach`,
   * `portforward` and `proxy` it is always `create`, by whatever method they come.
   */
  readonly verb: string
  /** API group, empty for the core group and for a path. */
  readonly group: string
  /** Plural name such as `pods`, empty for a path. */
  readonly resource: string
  /** `exec`, `log`, `scale` …; empty for none. */
  readonly subresource: string
  /** Empty for what is in no namespace; `*` across all, and where it can't be told whether there is one. */
  readonly namespace: string
  /** `*` where it isn't about one by name: `list`, `watch`, `deletecollection` without a field selector for it, and `create`. */
  readonly name: string
  /** The path of what is no resource, such as `/healthz`; empty otherwise. */
  readonly path: string
}

/** One access of an SQL statement. A statement is as many actions as it accesses things; every one must be allowed. */
export interface SqlAction {
  readonly protocol: 'sql'
  /** `select`, `insert`, `update`, `delete`, `merge`, `call`, `ddl`, `grant`, `copy`, `transaction`, `session`; `other` for what isn't understood. */
  readonly class: string
  /** Schema and table, view or function, as the database resolves them, case included; empty for classes that have none. */
  readonly schema: string
  readonly object: string
  /** One column; `*` for the whole row and where it can't be told; empty for classes that have none. */
  readonly column: string
}

/** What is asked of a host over SSH: one request of a channel, or one operation on a file. */
export interface SshAction {
  readonly protocol: 'ssh'
  /** `shell`, `exec`, `sftp`, `subsystem`, `forward` (direct-tcpip), `listen` (tcpip-forward), `agent`, `x11`. */
  readonly operation: string
  /** The account on the host. */
  readonly login: string
  /** Of `sftp`: `read`, `write`, `list` or `remove`; empty otherwise. */
  readonly access: string
  /** Of `exec`: the words of the command; undefined where a shell would make something else of it, and of all other operations. */
  readonly command?: readonly string[] | undefined
  /** Path of `sftp`, `host:port` or socket path of `forward` and `listen`, name of a `subsystem`; `*` where it can't be told; empty otherwise. */
  readonly target: string
}

/** An operation of the Docker Engine API. */
export interface ContainerAction {
  readonly protocol: 'container'
  /** As the command line calls it: `run` (create), `pull`, `exec`, `logs`, `stop`, `rm`, `build` … */
  readonly operation: string
  /** Repository with its registry, `docker.io/library/nginx`; of a container, the one that it was made from; `*` for all and where it can't be told. */
  readonly repository: string
  /** `:1.27` or `@sha256:…`, which goes before a tag; `*` for all and where it can't be told. */
  readonly version: string
  /** The container's name; `*` for all, for one that isn't named yet, and where it can't be told. */
  readonly name: string
  /** What opens the host, such as `privileged`, `host-network`, `mount /srv/data` and `mount /srv/data:ro`, sorted. */
  readonly options: readonly string[]
}

/** A request of the Model Context Protocol. */
export interface McpAction {
  readonly protocol: 'mcp'
  /** `tools/call`, `resources/read` … */
  readonly method: string
  /** Tool, prompt, or URI of a resource; empty for methods that have none. */
  readonly name: string
  /** Of `tools/call` and `prompts/get`, for conditions: parsed JSON. */
  readonly arguments?: Readonly<Record<string, unknown>> | undefined
}

/** A request to a language model. */
export interface LlmAction {
  readonly protocol: 'llm'
  /** `chat`, `complete`, `embed`, `image`, `speech`, `transcribe`, `moderate`, `rerank`, `count`, `models`, `batch`, `file`, `tune`. */
  readonly operation: string
  /** In lower case, with the provider's prefix where there is one; empty for operations that have none. */
  readonly model: string
  /** Tokens that the answer may have at most, as asked for; undefined where nothing is said. */
  readonly tokens?: number | undefined
}

/** `GET /orders/7`: the text of an action in records, reasons and explanations, as `does:` of a test takes it. Total. */
export function formatAction(action: Action): string {
  switch (action.protocol) {
    case 'http':
      return `${action.method} ${action.path}`
    case 'kubernetes':
      return kubernetes(action)
    case 'sql':
      return sql(action)
    case 'ssh':
      return ssh(action)
    case 'container':
      return container(action)
    case 'mcp':
      return action.name === '' ? action.method : `${action.method} ${action.name}`
    case 'llm':
      return `${action.operation}${action.model === '' ? '' : ` ${action.model}`}${action.tokens === undefined ? '' : ` tokens=${action.tokens}`}`
  }
}

function kubernetes({ verb, group, resource, subresource, namespace, name, path }: KubernetesAction): string {
  if (path !== '') return `${verb} ${path}`
  const what = `${resource}${group === '' ? '' : `.${group}`}${subresource === '' ? '' : `/${subresource}`}`
  const where = namespace === ALL ? ' -A' : namespace === '' ? '' : ` -n ${namespace}`
  return `${verb} ${what}${name === ALL || name === '' ? '' : ` ${name}`}${where}`
}

function sql({ class: statement, schema, object, column }: SqlAction): string {
  if (object === '' || statement === 'other') return statement
  return `${statement} on ${identifier(schema)}.${identifier(object)}${column === '' || column === ALL ? '' : `(${identifier(column)})`}`
}

/** Lower-case names stand plain, all others in double quotes. */
function identifier(name: string): string {
  return name === ALL || /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

function ssh({ operation, login, access, command, target }: SshAction): string {
  const what = `${operation}${access === '' ? '' : ` ${access}`} as ${login}`
  if (command !== undefined) return `${what}: ${command.map(word).join(' ')}`
  return target === '' || target === ALL ? what : `${what}: ${target}`
}

/** A word as a POSIX shell reads it. */
function word(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function container({ operation, repository, version, name, options }: ContainerAction): string {
  const image = repository === ALL ? '' : ` ${repository}${version === ALL ? '' : version}`
  const named = name === ALL || name === '' ? '' : ` named ${name}`
  return `${operation}${image}${named}${options.length === 0 ? '' : ` with ${options.join(', ')}`}`
}
