/** Which of the streaming protocols of Kubernetes client and server agreed on. */

export interface StreamProtocol {
  readonly carrier: 'websocket' | 'spdy'
  /**
   * `channel`: channels in WebSocket messages; `base64`: the same in text; `streams`: streams of SPDY, over WebSocket where that
   * carries them.
   */
  readonly form: 'channel' | 'base64' | 'streams'
  /** 1 to 5. From 4 on the server ends with a `metav1.Status`, before with text; 5 can close one channel. */
  readonly version: number
}

/** What the server answered the upgrade with, its header fields as they came; undefined where there was none. */
export interface UpgradeAnswer {
  readonly upgrade: string | undefined
  /** `Sec-WebSocket-Protocol` */
  readonly subprotocol: string | undefined
  /** `Sec-WebSocket-Extensions` */
  readonly extensions: string | undefined
  /** `X-Stream-Protocol-Version` */
  readonly streamVersion: string | undefined
}

const TUNNEL = 'SPDY/3.1+portforward.k8s.io'

/** The protocol that an answer agrees on; undefined for what isn't known here, which nobody could record. */
export function agreedProtocol({ upgrade, subprotocol, extensions, streamVersion }: UpgradeAnswer): StreamProtocol | undefined {
  const to = upgrade?.toLowerCase()
  if (to === 'spdy/3.1') {
    if (streamVersion === 'portforward.k8s.io') return { carrier: 'spdy', form: 'streams', version: 1 }
    const match = /^v([1-5])\.channel\.k8s\.io$/.exec(streamVersion ?? 'v1.channel.k8s.io')
    return match === null ? undefined : { carrier: 'spdy', form: 'streams', version: Number(match[1]) }
  }
  // An extension, such as compression, would change what frames mean.
  if (to !== 'websocket' || (extensions !== undefined && extensions.trim() !== '')) return undefined
  const name = subprotocol ?? ''
  if (name === TUNNEL) return { carrier: 'websocket', form: 'streams', version: 1 }
  if (name === '') return { carrier: 'websocket', form: 'channel', version: 1 }
  const match = /^(?:v([1-5])\.)?(base64\.)?channel\.k8s\.io$/.exec(name)
  if (match === null) return undefined
  return { carrier: 'websocket', form: match[2] === undefined ? 'channel' : 'base64', version: Number(match[1] ?? 1) }
}
