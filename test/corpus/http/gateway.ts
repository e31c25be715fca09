import type { Recorder } from './recorder.ts'

export interface UnderTest {
  readonly port: number
  readonly tlsPort: number
  /** Certificate of the authority that signed the gateway's own, PEM. */
  readonly ca: string
  /** A valid token of a caller who may do what the role says, and no more. */
  tokenFor(role: 'reader' | 'admin'): string
  close(): Promise<void>
}

export declare function startUnderTest(recorder: Recorder): Promise<UnderTest>
