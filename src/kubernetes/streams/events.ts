/** What a session of exec, attach or port-forward turns out to carry. */

/** Bytes are views into the chunk that was handed in: whoever keeps them copies them. */
export type SessionEvent =
  /** What the caller typed or sent. */
  | { readonly kind: 'input'; readonly bytes: Uint8Array }
  | { readonly kind: 'output'; readonly bytes: Uint8Array }
  | { readonly kind: 'error-output'; readonly bytes: Uint8Array }
  /** The caller will send no more input. */
  | { readonly kind: 'input-ended' }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'exit'; readonly exit: SessionExit }
  /** A connection to a port of the pod. `connection` tells several to one port apart. */
  | { readonly kind: 'port-opened'; readonly port: number; readonly connection: string }
  | {
      readonly kind: 'port-closed'
      readonly port: number
      readonly connection: string
      /** From the caller, and to it. */
      readonly bytesIn: number
      readonly bytesOut: number
      /** What the server said went wrong, at most 1,024 characters. */
      readonly error: string | undefined
    }
  /** From here on nothing more is told. Comes at most once, and last but for what `ended` tells. */
  | { readonly kind: 'undecodable'; readonly why: string }

/** How the command ended, as the server said it. */
export interface SessionExit {
  /** 0 for success; undefined where the server told of a failure that is no exit code. */
  readonly code: number | undefined
  /** The server's own words, at most 1,024 characters: foreign text. */
  readonly message: string | undefined
}

export type Sink = (event: SessionEvent) => void

/** Thrown inside a decoder, and turned into `undecodable` by the session. The text is ours, never foreign. */
export class Undecodable extends Error {}

/** What the gateway says when it ends a session, as `metav1.Status` has it. */
export interface ClosingStatus {
  /** `Forbidden`, `Unauthorized`, `Timeout`, … */
  readonly reason: string
  readonly message: string
  /** HTTP status. */
  readonly code: number
}

export interface Closing {
  /** To be sent to the client in this order, in place of anything else. */
  readonly bytes: Uint8Array
  /** True once everything is said: the connection is to be closed behind `bytes`. */
  readonly done: boolean
}
