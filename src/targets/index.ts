import { compileIstio } from './istio/emit.ts'
import { proveIstio } from './istio/prove.ts'
import { istioSchema } from './istio/schema.ts'
import { compileKuma } from './kuma/emit.ts'
import { kumaSchema } from './kuma/schema.ts'
import { proveKuma } from './kuma/prove.ts'
import type { TargetKind } from './target.ts'

/** Every kind of target that the policy is compiled for. (Envoys that are fed by this gateway are a door's: `doors.envoy`.) */
export const targetKinds: Readonly<Record<string, TargetKind>> = {
  istio: { schema: istioSchema, compile: compileIstio, prove: proveIstio },
  kuma: { schema: kumaSchema, compile: compileKuma, prove: proveKuma },
}
