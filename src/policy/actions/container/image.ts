import { ALL } from '../../../core/action.ts'
import { glob, literal, MAX_STARS, type Glob } from '../sets/glob.ts'
import { pathSet, type PathSet } from '../sets/path.ts'
import type { Problem } from '../vocabulary.ts'
import { isProblem } from '../text.ts'

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?$/
const PART = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

/** `docker.io/library/nginx` and `:1.27` or `@sha256:…`. */
export interface ImageText {
  readonly repository: string
  /** Empty where nothing is said. */
  readonly version: string
}

/** An image reference in full, as the engine completes it: `nginx` is `docker.io/library/nginx`. A digest goes before a tag. */
export function splitImage(text: string): ImageText | Problem {
  const [name = '', digest, ...more] = text.split('@')
  if (more.length > 0 || digest === '')
    return { problem: `\`${text}\` is not an image`, help: 'write `registry/repository:tag` or `…@sha256:…`' }
  const slash = name.lastIndexOf('/')
  const colon = name.indexOf(':', slash + 1)
  const path = colon === -1 ? name : name.slice(0, colon)
  const tag = colon === -1 ? '' : name.slice(colon)
  const first = path.split('/')[0]!
  const isHost = path.includes('/') && isRegistry(first)
  const repository = isHost
    ? path.replace(/^index\.docker\.io\//, 'docker.io/')
    : `docker.io/${path.includes('/') ? path : `library/${path}`}`
  const whole =
    /^docker\.io\/(?!\*\*$)[^/]+$/.test(repository) && isHost ? repository.replace('docker.io/', 'docker.io/library/') : repository
  return { repository: whole, version: digest === undefined ? tag : `@${digest}` }
}

/** What tells a registry from the first part of a path. */
function isRegistry(text: string): boolean {
  return /[.:]/.test(text) || text === 'localhost'
}

export interface ImageSet {
  /** Undefined for all. */
  readonly repositories: PathSet | undefined
  /** With its `:` or `@`; undefined for all. */
  readonly versions: Glob | undefined
}

/** `acme/*:1.*`, `ghcr.io/acme/**`, `nginx@sha256:…`, and `*` for every image. */
export function readImages(text: string): ImageSet | Problem {
  if (text === '*' || text === '**') return { repositories: undefined, versions: undefined }
  if (text !== text.toLowerCase() && /[A-Z]/.test(text.split(/[:@]/)[0]!))
    return { problem: `\`${text}\` has upper-case letters in its repository`, help: `write \`${text.toLowerCase()}\`` }
  const split = splitImage(text)
  if (isProblem(split)) return split
  const { version } = split
  // A star for the name is for every image, not for those without a registry.
  const all = /^\*{1,2}(?=[:@])/.test(text)
  const repository = all ? 'x.x/x' : split.repository
  const plain = repository.replace(/\/\*\*$/, '/x').replaceAll('*', 'x')
  if (!isRepository(plain))
    return {
      problem: `\`${text}\` is not an image`,
      help: 'write `nginx`, `acme/*`, `ghcr.io/acme/**` or `*`, and a tag or a digest behind it',
    }
  const repositories = pathSet(repository)
  if (typeof repositories === 'string') return { problem: repositories }
  const of = all ? undefined : repositories
  if (version === '') return { repositories: of, versions: undefined }
  if (version.split('*').length - 1 > MAX_STARS) return { problem: `\`${version}\` has more than ${MAX_STARS} stars` }
  const filled = version === '@*' || version === '@sha256:*' ? `@sha256:${'0'.repeat(64)}` : version.replaceAll('*', 'x')
  if (!isVersion(filled))
    return { problem: `\`${version}\` is not a tag and not a digest`, help: 'write `:1.27`, `:1.*` or `@sha256:` and 64 digits' }
  return { repositories: of, versions: version.includes('*') ? glob(version) : literal(version) }
}

/** Whether it is a repository in full. */
export function isRepository(text: string): boolean {
  const [host = '', ...parts] = text.split('/')
  return text.length <= 255 && HOST.test(host) && isRegistry(host) && parts.length > 0 && parts.every((part) => PART.test(part))
}

/** Whether it is a tag with its colon, or a digest with its at sign. */
export function isVersion(text: string): boolean {
  return text.startsWith(':') ? TAG.test(text.slice(1)) : text.startsWith('@') && DIGEST.test(text.slice(1))
}

/** One image as the canonical action has it; without a tag it is `:latest`. */
export function readImage(text: string): ImageText | Problem {
  if (text === ALL) return { repository: ALL, version: ALL }
  const split = splitImage(text)
  if (isProblem(split)) return split
  const image = { repository: split.repository, version: split.version === '' ? ':latest' : split.version }
  return isRepository(image.repository) && isVersion(image.version)
    ? image
    : { problem: `\`${text}\` is not an image`, help: 'write for example `nginx:1.27`, `ghcr.io/acme/app:1.2` or `acme/app@sha256:…`' }
}
