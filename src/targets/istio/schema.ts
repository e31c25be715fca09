import { z } from 'zod'
import { targetBase } from '../../config/schema.ts'

/** `targets.<name>` of kind `istio`. */
export const istioSchema = targetBase.extend({ kind: z.literal('istio').describe('A mesh of Istio') })

export type IstioTarget = z.output<typeof istioSchema>
