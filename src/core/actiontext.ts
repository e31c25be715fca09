import { ALL, type Action, type ContainerAction, type KubernetesAction, type SqlAction, type SshAction } from './action.ts'

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
  if (object === '') return statement
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
