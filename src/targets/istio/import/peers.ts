/** Whoever is at the other end of a connection, as roles that rules name by `peer`. */
import { expandPrincipals } from '../translate/trustdomains.ts'
import { nameFrom, Names, textOf } from './texts.ts'

export interface Peers {
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  /** File of the trust domain's bundle; undefined where nobody has handed one in, and peers can't be told. */
  readonly bundle: string | undefined
}

/** The issuer of the mesh's own identities. */
export const MESH_ISSUER = 'mesh'

export class PeerRoles {
  readonly #peers: Peers
  readonly #names = new Names()
  readonly #byKey = new Map<string, string>()
  readonly #all = new Map<string, readonly string[]>()

  constructor(peers: Peers) {
    this.#peers = peers
  }

  /** Paths of SPIFFE IDs by role. */
  all(): ReadonlyMap<string, readonly string[]> {
    return this.#all
  }

  /** Undefined where it can't be told. */
  roleOf(values: readonly string[]): string | undefined {
    const paths = this.#paths(values)
    if (paths === undefined || this.#peers.bundle === undefined) return undefined
    const key = JSON.stringify(paths)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const accounts = paths.map((path) => path.split('/').slice(2))
    const wish =
      accounts.length > 2 ? 'peers' : accounts.map(([namespace, , account]) => nameFrom(`${namespace!}-${account!}`)).join('-or-')
    const name = this.#names.give(`peer-${wish}`.slice(0, 60).replaceAll(/-+$/g, ''))
    this.#byKey.set(key, name)
    this.#all.set(name, paths)
    return name
  }

  why(values: readonly string[]): string {
    if (this.#paths(values) === undefined)
      return 'of the other end of a connection, only whole names of the mesh’s own trust domain can be asked'
    return 'who is at the other end of a connection is told by the mesh’s bundle (`--mesh-ca`)'
  }

  #paths(values: readonly string[]): readonly string[] | undefined {
    const { trustDomain, trustDomainAliases } = this.#peers
    const paths = values.map((value) => {
      const names = textOf(value).is === 'exact' ? expandPrincipals([value], [trustDomain, ...trustDomainAliases]) : []
      const own = names.find((one) => one.startsWith(`${trustDomain}/`))?.slice(trustDomain.length)
      return own !== undefined && /^\/ns\/[a-z0-9-]+\/sa\/[a-z0-9.-]+$/.test(own) ? own : undefined
    })
    return paths.every((one) => one !== undefined) ? [...new Set(paths)].toSorted() : undefined
  }
}
