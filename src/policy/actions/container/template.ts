/**
 * The action vocabulary of container engines: `run ghcr.io/acme/*:1.*`, `logs,stop acme/web named web-*`,
 * `run acme/builder with mount /srv/data/**:ro`.
 *
 * In a rule, `*` for operations leaves out those of `GUARDED`, and no option of a container is covered that isn't said. In a
 * guardrail `with` is for whatever has one of the options that it says.
 */
import { ALL, type ContainerAction } from '../../../core/action.ts'
import { glob, literal, matchesGlob, MAX_STARS, type Glob } from '../sets/glob.ts'
import { matchesPath } from '../sets/path.ts'
import { ANY, meetsValue, valuesOf, type Side, type Values } from '../sets/values.ts'
import { asciiProblem, isProblem, listOf, wordList } from '../text.ts'
import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { readImages, type ImageSet } from './image.ts'
import { GUARDED, NAME, OF_CONTAINERS, OF_IMAGES, OPERATIONS, WITH_OPTIONS } from './known.ts'
import { matchesOptions, readOptions, type Options } from './options.ts'

export interface ContainerPattern extends PatternBase {
  readonly protocol: 'container'
  readonly side: Side
  readonly operations: ReadonlySet<string>
  readonly images: ImageSet
  readonly names: Values
  readonly options: Options
}

const FORM = 'write for example `run acme/web:1.*`, `logs * named web-*` or `run acme/web with mount /srv/data:ro`'

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<ContainerPattern> {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  const match = /^(\S+)(?: (?!named |with )(\S+))?(?: named (\S+))?(?: with (.+))?$/.exec(text)
  if (match === null) return { problem: 'it is operations, an image, `named` and `with`', help: FORM }
  const [, operation = '', image, name, options] = match
  const operations =
    operation === '*'
      ? OPERATIONS.filter((one) => side === 'takes' || !GUARDED.includes(one))
      : wordList(operation, 'operations', OPERATIONS)
  if (isProblem(operations)) return operations
  if (operation !== '*') {
    const wrong = misplaced(operations, image, name, options)
    if (wrong !== undefined) return wrong
  }
  const images = image === undefined ? { repositories: undefined, versions: undefined } : readImages(image)
  if (isProblem(images)) return images
  const names = name === undefined ? ANY : readNames(name)
  if (isProblem(names)) return names
  const said = options === undefined ? 'unsaid' : readOptions(options, side)
  if (isProblem(said)) return said
  return { pattern: { protocol: 'container', text, parameters: [], side, operations: new Set(operations), images, names, options: said } }
}

/** What is said of an operation that can't have it. */
function misplaced(
  operations: readonly string[],
  image: string | undefined,
  name: string | undefined,
  options: string | undefined,
): Problem | undefined {
  const without = (of: readonly string[]): string | undefined => operations.find((one) => !of.includes(one))
  const noImage = without([...OF_IMAGES, ...OF_CONTAINERS])
  if (image !== undefined && noImage !== undefined) return { problem: `\`${noImage}\` is on no image`, help: `write \`${noImage}\` alone` }
  const noName = without(OF_CONTAINERS)
  if (name !== undefined && noName !== undefined) return { problem: `\`${noName}\` is on no container`, help: 'leave `named` out' }
  const noOption = without([...WITH_OPTIONS])
  if (options !== undefined && noOption !== undefined)
    return { problem: `\`${noOption}\` has no options`, help: `write \`with\` for ${[...WITH_OPTIONS].join(', ')}` }
  return undefined
}

function readNames(text: string): Values | Problem {
  const parts = listOf(text)
  if (isProblem(parts)) return parts
  const globs: Glob[] = []
  for (const part of parts) {
    if (!NAME.test(part.replaceAll('*', 'x')))
      return { problem: `\`${part}\` is not the name of a container`, help: 'write a name, with `*` for any characters' }
    if (part.split('*').length - 1 > MAX_STARS) return { problem: `\`${part}\` has more than ${MAX_STARS} stars` }
    globs.push(part.includes('*') ? glob(part) : literal(part))
  }
  return valuesOf(globs)
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: ContainerPattern, action: ContainerAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical({ side, operations, images, names, options }: ContainerPattern, action: ContainerAction): boolean {
  return (
    operations.has(action.operation) &&
    matchesImage(images, action, side) &&
    meetsValue(names, action.name, side) &&
    matchesOptions(options, action.options, side)
  )
}

function matchesImage({ repositories, versions }: ImageSet, { repository, version }: ContainerAction, side: Side): boolean {
  if (repositories !== undefined && (repository === ALL ? side !== 'takes' : repository === '' || !matchesPath(repositories, repository)))
    return false
  return versions === undefined || (version === ALL ? side === 'takes' : matchesGlob(versions, version))
}
