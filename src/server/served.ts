import type { Wiring } from '../config/schema.ts'
import type { HttpDoor } from '../doors/http/door.ts'
import type { KubernetesDoor } from '../doors/kubernetes/door.ts'
import { clusterResources, httpResources } from './parts.ts'

/** Doors that take on changed wiring while they run. */
export interface ServedDoors {
  readonly door: HttpDoor | undefined
  readonly clusters: KubernetesDoor | undefined
}

/** @throws OstiaryError `http/host-taken`, `http/certificate`; of the door that throws everything stays as it was */
export function serve({ door, clusters }: ServedDoors, wiring: Wiring): void {
  door?.update(httpResources(wiring))
  clusters?.update(clusterResources(wiring))
}

/** What was served before is served again: one door may have taken something on before another could not. */
export function serveAgain(doors: ServedDoors, wiring: Wiring, log: (line: string) => void): void {
  try {
    serve(doors, wiring)
  } catch (error) {
    log(`reload: a door does not serve as it did: ${error instanceof Error ? error.message : String(error)}`)
  }
}
