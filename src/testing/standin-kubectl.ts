/**
 * In place of `kubectl`, for tests: keeps documents in a file, and writes down what it was told. Run as a program of its own, with that
 * file as first argument: `{ documents, calls, refuses }`. With `{context}` in its path each context has a file of its own.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

export interface StandInCluster {
  readonly documents: Readonly<Record<string, StandInDocument>>
  /** Arguments of each call after the context, and what was applied or removed. */
  readonly calls: readonly (readonly string[])[]
  /** Names of documents that are refused. */
  readonly refuses?: readonly string[]
}

export interface StandInDocument {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
}

const KINDS: Readonly<Record<string, string>> = {
  'authorizationpolicies.security.istio.io': 'AuthorizationPolicy',
  'requestauthentications.security.istio.io': 'RequestAuthentication',
  'serviceentries.networking.istio.io': 'ServiceEntry',
  'telemetries.telemetry.istio.io': 'Telemetry',
}

function valueOf(args: readonly string[], flag: string): string | undefined {
  const at = args.indexOf(flag)
  return at === -1 ? undefined : args[at + 1]
}

function main([path, flag, context = '', ...args]: readonly string[]): void {
  const file = path?.replace('{context}', context)
  const isKnown = path === file ? context === 'shop' : existsSync(file!)
  if (file === undefined || flag !== '--context' || !isKnown) throw new Error(`no context \`${context}\``)
  const state = JSON.parse(readFileSync(file, 'utf8')) as StandInCluster
  const documents = { ...state.documents }
  const keep = (...about: readonly string[]): void =>
    writeFileSync(file, JSON.stringify({ ...state, documents, calls: [...state.calls, [args[0]!, ...about]] } satisfies StandInCluster))
  const idOf = ({ kind, metadata }: StandInDocument): string => `${kind} ${metadata.namespace}/${metadata.name}`
  switch (args[0]) {
    case 'apply': {
      if (!args.includes('--server-side') || valueOf(args, '--field-manager') !== 'ostiary' || valueOf(args, '-f') !== '-')
        throw new Error('not so')
      const { items } = JSON.parse(readFileSync(0, 'utf8')) as { readonly items: readonly StandInDocument[] }
      const refused = items.find(({ metadata }) => state.refuses?.includes(metadata.name) === true)
      if (refused !== undefined) throw new Error(`admission webhook denied ${refused.metadata.name}`)
      for (const one of items) documents[idOf(one)] = one
      return keep(...items.map(idOf))
    }
    case 'delete': {
      const id = `${KINDS[args[1]!]!} ${valueOf(args, '--namespace')!}/${args[2]!}`
      delete documents[id]
      return keep(id)
    }
    case 'get': {
      const kinds = args[1]!.split(',').map((one) => KINDS[one])
      const [label, value] = valueOf(args, '-l')?.split('=') ?? []
      const namespace = valueOf(args, '--namespace')
      const items = Object.values(documents).filter(
        ({ kind, metadata }) =>
          kinds.includes(kind) &&
          (namespace === undefined || metadata.namespace === namespace) &&
          (label === undefined || metadata.labels?.[label] === value),
      )
      process.stdout.write(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
      return keep()
    }
    default:
      throw new Error(`unknown command ${args[0] ?? ''}`)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  try {
    main(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`Error: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
