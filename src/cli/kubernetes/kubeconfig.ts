import { existsSync } from 'node:fs'
import { didYouMean } from '../../config/didyoumean.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { ListedCluster } from '../../kubernetes/directory.ts'
import { Kubeconfig } from './document.ts'
import { entriesOf, type Entries, type EntryOptions } from './entries.ts'
import { changeKubeconfig, kubeconfigFiles, readKubeconfig } from './files.ts'

export interface WriteOptions extends EntryOptions {
  /** `--kubeconfig`. */
  readonly file: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** For all contexts that are written; undefined leaves those that are there as they are. */
  readonly namespace: string | undefined
  /** Make the first one current even where another is. */
  readonly setCurrent: boolean
}

export interface Written {
  readonly file: string
  readonly changed: boolean
  readonly contexts: readonly string[]
  /** The current context now, where it is one of them. */
  readonly current: string | undefined
  /** Contexts of this gateway in the file that it lists no more. */
  readonly unlisted: readonly string[]
}

/** The clusters of those names, or all. @throws OstiaryError `cli/kube-no-cluster` */
export function chosen(listed: readonly ListedCluster[], names: readonly string[], url: string): readonly ListedCluster[] {
  if (names.length === 0) return listed
  return [...new Set(names)].map((name) => {
    const found = listed.find((one) => one.name === name)
    if (found !== undefined) return found
    const known = listed.map((one) => one.name)
    const near = didYouMean(name, known) ?? (known.length === 0 ? 'it lists none for you' : `it lists ${known.slice(0, 20).join(', ')}`)
    throw new OstiaryError('cli/kube-no-cluster', { url, name: name.slice(0, 64), near })
  })
}

/** A kubeconfig of these clusters alone. */
export function printed(clusters: readonly ListedCluster[], options: WriteOptions): string {
  const kubeconfig = Kubeconfig.read('') as Kubeconfig
  const [first] = put(kubeconfig, clusters, options)
  if (first !== undefined) kubeconfig.current = first.name
  return kubeconfig.toString()
}

/** Writes contexts of these clusters among those that are there. @throws OstiaryError of `changeKubeconfig`, `cli/kubeconfig-taken` */
export async function write(clusters: readonly ListedCluster[], listed: readonly ListedCluster[], options: WriteOptions): Promise<Written> {
  const { url, prefix, setCurrent } = options
  const files = kubeconfigFiles(options.file, options.env)
  const there = files.map((file) => ({ file, kubeconfig: readKubeconfig(file) }))
  const own = there.find(({ kubeconfig }) => kubeconfig.contexts(url).length > 0)
  // As kubectl chooses where something new goes.
  const file = own?.file ?? files.find((one) => existsSync(one)) ?? files.at(-1)!
  for (const other of there) notTaken(other.kubeconfig, other.file, clusters, options)
  const elsewhere = there.find((one) => one.kubeconfig.current !== undefined)
  let current: string | undefined
  let unlisted: readonly string[] = []
  let contexts: readonly string[] = []
  const changed = await changeKubeconfig(file, (kubeconfig) => {
    notTaken(kubeconfig, file, clusters, options)
    const entries = put(kubeconfig, clusters, options)
    contexts = entries.map(({ name }) => name)
    const [first] = contexts
    // Nobody is moved to another cluster unasked.
    if (first !== undefined && (setCurrent || (elsewhere === undefined && contexts.length === 1))) kubeconfig.current = first
    current = kubeconfig.current
    const names = new Set(listed.map(({ name }) => `${prefix}${name}`))
    unlisted = kubeconfig.contexts(url).filter((name) => name.startsWith(prefix) && !names.has(name))
  })
  // The first file that says which context is current is believed.
  if (setCurrent && elsewhere !== undefined && elsewhere.file !== file && files.indexOf(elsewhere.file) < files.indexOf(file))
    await changeKubeconfig(elsewhere.file, (kubeconfig) => {
      if (contexts[0] !== undefined) kubeconfig.current = contexts[0]
    })
  return { file, changed, contexts, current: current !== undefined && contexts.includes(current) ? current : undefined, unlisted }
}

/** Takes contexts out that were written for this gateway: those of these names, or all. */
export async function remove(
  names: readonly string[],
  options: WriteOptions,
): Promise<readonly { readonly file: string; readonly contexts: readonly string[] }[]> {
  const { url, prefix } = options
  const wanted = new Set(names.map((name) => `${prefix}${name}`))
  const removed: { readonly file: string; readonly contexts: readonly string[] }[] = []
  for (const file of kubeconfigFiles(options.file, options.env)) {
    const here = (kubeconfig: Kubeconfig): readonly string[] =>
      kubeconfig.contexts(url).filter((name) => name.startsWith(prefix) && (names.length === 0 || wanted.has(name)))
    if (here(readKubeconfig(file)).length === 0) continue
    await changeKubeconfig(file, (kubeconfig) => {
      const contexts = here(kubeconfig)
      kubeconfig.remove(new Set(contexts), url)
      removed.push({ file, contexts })
    })
  }
  return removed
}

function put(kubeconfig: Kubeconfig, clusters: readonly ListedCluster[], options: WriteOptions): readonly Entries[] {
  const { url, namespace } = options
  const entries = clusters.map((cluster) => entriesOf(cluster, options))
  for (const one of entries) kubeconfig.put(one, url, { namespace })
  return entries
}

function notTaken(kubeconfig: Kubeconfig, file: string, clusters: readonly ListedCluster[], options: WriteOptions): void {
  for (const cluster of clusters) {
    const taken = kubeconfig.taken(entriesOf(cluster, options), options.url)
    if (taken !== undefined) throw new OstiaryError('cli/kubeconfig-taken', { file, what: taken.what, name: taken.name })
  }
}
