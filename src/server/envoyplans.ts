import type { EnvoyNode } from '../doors/envoy/schema.ts'
import type { Gradual } from '../core/gradual.ts'
import { carriedBy, planNode, type NodePlan } from '../targets/envoy/nodes.ts'
import { nativeOf, speaksHttp, type NativeCarried } from '../targets/wired.ts'
import type { EnvoyVersion } from './envoyversions.ts'

/** What one Envoy is to enforce of a version, or why it can't. */
export type Planning = (made: EnvoyVersion, name: string, node: EnvoyNode) => Gradual<NodePlan>

/** For one handing out: what is made of a version is made once. @param folder Where file names of the wiring start */
export function planning(folder: string): Planning {
  const natives = new Map<string, (resource: string) => NativeCarried>()
  const plans = new Map<string, NodePlan>()
  return function* planned({ version, policy, wiring, issuers }, name, node) {
    const key = `${version} ${name}`
    const known = plans.get(key)
    if (known !== undefined) return known
    const native = natives.get(version) ?? once((resource: string) => nativeOf(resource, { wiring, policy, issuers }))
    natives.set(version, native)
    for (const resource of carriedBy(node, wiring)) {
      if (speaksHttp(wiring, resource)) native(resource)
      yield
    }
    const plan = planNode({ name, node, wiring, policy, issuers, folder, native })
    plans.set(key, plan)
    return plan
  }
}

/** The same answer to the same question. */
function once<T>(make: (name: string) => T): (name: string) => T {
  const known = new Map<string, { readonly made: T }>()
  return (name) => {
    let found = known.get(name)
    if (found === undefined) known.set(name, (found = { made: make(name) }))
    return found.made
  }
}
