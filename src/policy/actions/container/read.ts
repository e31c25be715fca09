import { ALL, type ContainerAction } from '../../../core/action.ts'
import { asciiProblem, isProblem, notKnown, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { readImage } from './image.ts'
import { OF_CONTAINERS, OF_NEITHER, OPERATIONS } from './known.ts'
import { readHas } from './options.ts'

const FORM = 'write for example `run acme/web:1.2 with privileged`, `logs acme/web:1.2 named web-1` or `info`'

/** Reads one concrete action. What isn't said of image and name can't be told. */
export function readAction(text: string): ContainerAction | Problem {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  if (text.includes('*')) return { problem: 'it asks for one concrete action, without `*`', help: FORM }
  const match = /^(\S+)(?: (?!named |with )(\S+))?(?: named (\S+))?(?: with (.+))?$/.exec(text)
  if (match === null) return { problem: 'it is an operation, an image, `named` and `with`', help: FORM }
  const [, operation = '', image, name, options] = match
  return made(operation, image, name, options?.split(',').map((one) => one.trim()) ?? [])
}

function made(
  operation: string,
  image: string | undefined,
  name: string | undefined,
  options: readonly string[],
): ContainerAction | Problem {
  if (!OPERATIONS.includes(operation)) return notKnown(operation, 'the operations', OPERATIONS)
  const has = readHas(options)
  if (isProblem(has)) return has
  const base = { protocol: 'container', operation, options: has } as const
  if (OF_NEITHER.includes(operation)) {
    if (image !== undefined || name !== undefined)
      return { problem: `\`${operation}\` is on no image and no container`, help: `write \`${operation}\` alone` }
    return checked({ ...base, repository: '', version: '', name: '' })
  }
  const read = readImage(image ?? ALL)
  if (isProblem(read)) return read
  if (name !== undefined && !OF_CONTAINERS.includes(operation))
    return { problem: `\`${operation}\` is on no container`, help: 'leave the name out' }
  return checked({ ...base, ...read, name: name ?? (OF_CONTAINERS.includes(operation) ? ALL : '') })
}

function checked(action: ContainerAction): ContainerAction | Problem {
  return isCanonical(action) ? action : { problem: `\`${action.operation}\` can not have this name or these options`, help: FORM }
}

/** The same from an operation and properties; `options` is a list. */
export function readParts(operation: string, properties: Readonly<Record<string, unknown>>): ContainerAction | Problem {
  const read = textProperties(properties, ['image', 'name'], ['options'])
  if (isProblem(read)) return read
  const { options = [] } = properties
  if (!Array.isArray(options) || !options.every((one) => typeof one === 'string'))
    return { problem: 'the property `options` is not a list of texts' }
  return made(operation, read.image, read.name, options)
}
