import { openIstio } from './istio.ts'
import { openKubernetes } from './kubernetes.ts'
import { openKuma } from './kuma.ts'
import type { PlaceKind } from './place.ts'

/** How what was compiled for each kind of target is brought to where it is kept, and looked at there. */
export const placeKinds: Readonly<Record<string, PlaceKind>> = {
  istio: { open: openIstio },
  kubernetes: { open: openKubernetes },
  kuma: { open: openKuma },
}
