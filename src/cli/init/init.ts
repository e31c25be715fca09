import { resolve } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { examineIssuer } from '../../server/doctor/issuer.ts'
import type { Finding } from '../../server/doctor/finding.ts'
import { redirectsOf } from '../../server/doctor/redirects.ts'
import { completed, type Answers, type Given } from './answers.ts'
import { askAll, type Person } from './ask.ts'
import { filesOf } from './files.ts'
import { registrationWays } from './registration/index.ts'
import type { Way } from './registration/text.ts'
import { refuseExisting, tried, write } from './write.ts'

export interface InitParts {
  readonly folder: string
  readonly given: Given
  /** Who answers what wasn't given; undefined where nobody does. */
  readonly person: Person | undefined
  readonly clock: Clock
  /** Told of how to register, before the client id has to be known. */
  readonly onWays: (ways: readonly Way[]) => void
  /** Told of each look at the provider. */
  readonly onFindings: (findings: readonly Finding[]) => void
  readonly onWritten: (files: readonly string[]) => void
  /** Whether the provider is asked. */
  readonly doctor: boolean
}

/** The registration’s own values, as long as there is no registration. */
const PLACEHOLDER = '00000000-0000-4000-8000-000000000000'
const AFTER_REGISTRATION: ReadonlySet<string> = new Set(['clientId', 'audience', 'secret'])

/**
 * Makes a first configuration: asks, says what to register, writes, and looks at the provider until nothing is wrong or the person has
 * had enough. Answers whether anything is wrong, and the name of the issuer. What is written has been tried; what is there already stays as it is.
 * @throws OstiaryError `cli/usage`, `cli/init-exists`, `cli/init-write`, `cli/init-ended`, those of the doctor
 */
export async function init(parts: InitParts): Promise<{ readonly wrong: boolean; readonly issuer: string }> {
  const { person, clock } = parts
  const folder = resolve(parts.folder)
  refuseExisting(folder, [{ path: 'ostiary.yaml' }, { path: 'policy/access.yaml' }, { path: 'policy/access.test.yaml' }])
  let given = completed(parts.given, false)
  if (person !== undefined) given = completed(await askAll(person, stated(parts.given), ({ key }) => !AFTER_REGISTRATION.has(key)), false)
  // Nothing is said of a registration before all that it consists of is known.
  const known = registrable(given)
  parts.onWays(registrationWays(known.provider, redirects(known, folder, clock), given))
  if (person !== undefined) given = await askAll(person, stated(parts.given, given, AFTER_REGISTRATION), () => true)
  const answers = completed(given, true)
  const files = filesOf(answers)
  tried(folder, files, clock.now())
  write(folder, files)
  parts.onWritten(files.map(({ path }) => path))
  const issuer = answers.provider
  if (!parts.doctor) return { wrong: false, issuer }
  for (;;) {
    const findings = await examineIssuer(issuer, { folder, clock })
    parts.onFindings(findings)
    const wrong = findings.some(({ outcome }) => outcome === 'wrong')
    if (!wrong || person === undefined || !(await again(person))) return { wrong, issuer }
  }
}

/** @throws OstiaryError `cli/usage` with all that is missing, the client id included */
function registrable(given: Given): Answers {
  try {
    return completed({ clientId: PLACEHOLDER, ...stated(given) }, true)
  } catch (error) {
    completed(given, true)
    throw error
  }
}

/** What was stated: `fresh` only what was stated at first of the questions `of`, since everything else of them is a default. */
function stated(first: Given, known: Given = first, of: ReadonlySet<string> = new Set()): Given {
  return Object.fromEntries(
    Object.entries({ ...known, ...first }).filter(
      ([key, text]) => text !== undefined && (!of.has(key) || first[key as keyof Given] !== undefined),
    ),
  )
}

/** The redirect URIs that the gateway will send, by its own reckoning. */
function redirects(answers: Answers, folder: string, clock: Clock): readonly string[] {
  const { wiring } = tried(folder, filesOf(answers), clock.now())
  const all = wiring === undefined ? [] : redirectsOf(answers.provider, wiring)
  const wrong = all.find(({ problem }) => problem !== undefined)?.problem
  if (wrong !== undefined) throw new OstiaryError('cli/usage', { problem: `\`--url\`: ${wrong.found}: ${wrong.help}`, command: 'init' })
  return all.map(({ uri }) => uri)
}

async function again(person: Person): Promise<boolean> {
  const answer = await person.ask('Look again (yes, no)', 'yes', (text) => (/^(y|yes|n|no)$/i.test(text) ? undefined : 'write yes or no'))
  return /^y/i.test(answer)
}
