import type { Command } from '../processes.ts'
import type { Tool, ToolName } from '../tools.ts'
import type { Workload } from '../workload.ts'

/** Where a candidate runs. */
export interface Place {
  /** A folder of its own for configuration and logs. */
  readonly folder: string
  readonly port: number
  readonly upstreamPort: number
  readonly workload: Workload
}

/** A proxy to be measured. */
export interface Candidate {
  readonly id: string
  readonly name: string
  /** What it does for each request, so that nobody compares what can't be compared. */
  readonly does: string
  /** The program it needs; undefined for Ostiary itself. */
  readonly tool: ToolName | undefined
  /** Which requests of the gate it must refuse: none for a plain proxy. */
  readonly enforces: 'nothing' | 'tokens' | 'tokens and policy'
  /** Writes its configuration and says how it is started. */
  prepare(place: Place, tool: Tool | undefined): Command | Promise<Command>
}
