import type { ListedCluster } from '../../kubernetes/directory.ts'

/** A value of a kubeconfig: a text, true, or lists and maps of them. Undefined is left out. */
export type Value = string | true | undefined | readonly Value[] | { readonly [key: string]: Value }

/** The three entries by which kubectl reaches one cluster. */
export interface Entries {
  /** Name of the context and of the cluster. */
  readonly name: string
  /** Name of the user, which contexts share that need the same token. */
  readonly user: string
  readonly cluster: Readonly<Record<string, Value>>
  readonly namespace: string | undefined
  readonly exec: Readonly<Record<string, Value>>
}

export interface EntryOptions {
  /** Admin address of the gateway. */
  readonly url: string
  /** Before the names of contexts and clusters. */
  readonly prefix: string
  /** How kubectl starts this program: the file, and what comes before the command. */
  readonly command: readonly [string, ...string[]]
}

/** What a listed cluster becomes. Nothing in it is a secret: the token is asked for when it is needed. */
export function entriesOf(listed: ListedCluster, { url, prefix, command }: EntryOptions): Entries {
  const { name, server, ca, tlsServerName, namespace, mode, audience } = listed
  // Where the gateway exchanges the token itself, it is asked for its own.
  const other = mode === 'pass-through' ? audience : undefined
  const [file, ...before] = command
  return {
    name: `${prefix}${name}`,
    user: other === undefined ? `ostiary:${url}` : `ostiary:${url}#${other}`,
    cluster: {
      server,
      'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
      'tls-server-name': tlsServerName,
    },
    namespace,
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: file,
      args: [...before, 'kube-token', '--admin', url, ...(other === undefined ? [] : ['--scope', `${other}/.default`])],
      interactiveMode: 'IfAvailable',
      provideClusterInfo: true,
      installHint: `install Ostiary (npm install --global ostiary), then run: ostiary login --admin ${url}`,
    },
  }
}
