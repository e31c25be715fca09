import { ALL, type ContainerAction } from '../../../core/action.ts'
import { isRepository, isVersion } from './image.ts'
import { NAME, OF_CONTAINERS, OF_NEITHER, OPERATIONS, WITH_OPTIONS } from './known.ts'
import { isOption } from './options.ts'

/** Options of one action at most. */
const MAX_OPTIONS = 256

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ operation, repository, version, name, options }: ContainerAction): boolean {
  if (!OPERATIONS.includes(operation)) return false
  if (options.length > MAX_OPTIONS || (options.length > 0 && !WITH_OPTIONS.has(operation)) || !options.every(isOption)) return false
  if (OF_NEITHER.includes(operation)) return `${repository}${version}${name}` === ''
  if (OF_CONTAINERS.includes(operation) ? name !== ALL && !NAME.test(name) : name !== '') return false
  if (repository === ALL) return version === ALL
  return isRepository(repository) && (version === ALL || isVersion(version))
}
