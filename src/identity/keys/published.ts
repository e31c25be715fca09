import type { Issuer, IssuerDeps } from '../issuer.ts'
import { KeySource, type KeySourceSettings } from './source.ts'

/** The keys of an issuer that publishes one set of them, with what the issuer answers about them. */
export interface PublishedKeys extends Pick<Issuer, 'status' | 'onKeysLeft' | 'close'> {
  readonly source: KeySource
}

/** Begins to ask for the keys of issuer `name` in the background. */
export function publishedKeys(settings: Omit<KeySourceSettings, 'onLeft'>, deps: IssuerDeps): PublishedKeys {
  const listeners: Parameters<Issuer['onKeysLeft']>[0][] = []
  const onLeft = (keyIds: readonly string[]): void => {
    for (const listener of listeners) listener(settings.issuer, keyIds)
  }
  const source = new KeySource({ ...settings, onLeft }, deps)
  source.start()
  return {
    source,
    status() {
      if (source.documents === undefined) return { ready: false, detail: 'no keys' }
      const detail = `keys got ${Math.round(source.age / 60_000)} min ago`
      return { ready: true, detail: source.failure === undefined ? detail : `${detail}; the provider does not answer` }
    },
    onKeysLeft: (listener) => void listeners.push(listener),
    close: () => source.close(),
  }
}

/** Where OpenID Connect Discovery §4 has an issuer's metadata. */
export function discoveryUrlOf(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}
