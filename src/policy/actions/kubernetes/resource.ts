import { didYouMean } from '../../../config/didyoumean.ts'
import type { Problem } from '../vocabulary.ts'
import { CORE, writtenAs } from './known.ts'

const RESOURCE = /^[a-z][a-z0-9-]{0,62}$/
const GROUP = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

interface ReadResource {
  readonly resource: string
  readonly group: string
  /** Undefined for none said. */
  readonly subresource: string | undefined
}

/** `pods`, `deployments.apps/scale`, `*`, `*.apps`, `*.core`. */
export function readResource(text: string): ReadResource | Problem {
  const [what, subresource, ...more] = text.split('/')
  if (what === undefined || what === '' || more.length > 0 || subresource === '')
    return { problem: `\`${text}\` is not a resource`, help: 'write `pods`, `deployments.apps` or `deployments.apps/scale`' }
  const dot = what.indexOf('.')
  const resource = dot === -1 ? what : what.slice(0, dot)
  const written = dot === -1 ? (resource === '*' ? '*' : '') : what.slice(dot + 1)
  if (resource !== '*' && !RESOURCE.test(resource))
    return {
      problem: `\`${resource}\` is not the name of a resource`,
      help: resource.includes('*') ? 'a resource is a name or `*`' : `names are plural and lower case: \`${resource.toLowerCase()}\``,
    }
  const version = /^v\d+(?:(?:alpha|beta)\d+)?\./.exec(written)?.[0]
  if (version !== undefined) return { problem: 'it names a version', help: `write \`${resource}.${written.slice(version.length)}\`` }
  if (written !== '*' && (dot !== -1 || written !== '') && !GROUP.test(written))
    return { problem: `\`${written}\` is not an API group`, help: 'write a group such as `apps`, `core`, or `*` for any' }
  const group = written === 'core' ? '' : written
  if (group === '' && resource !== '*' && !CORE.includes(resource)) {
    const better = writtenAs(resource)
    return {
      problem: `there is no \`${resource}\` in the core group`,
      help:
        better === undefined ? (didYouMean(resource, CORE) ?? `write its group too: \`${resource}.example.com\``) : `write \`${better}\``,
    }
  }
  if (subresource !== undefined && subresource !== '*' && !RESOURCE.test(subresource))
    return subresource.includes('*')
      ? { problem: `\`${subresource}\` is not a subresource`, help: 'a subresource is a name or `*`' }
      : { problem: `\`${subresource}\` is not a subresource`, help: `a name stands behind a blank: \`${what} ${subresource}\`` }
  return { resource, group, subresource }
}
