export { openAuditLog, type AuditLog } from './log.ts'
export type { AuditLogOptions, AuditStatus } from './options.ts'
export type { CheckpointSigner } from './checkpoints.ts'
export { verify, type VerifyOptions } from './verify.ts'
export { verifyDataDirectory, type VerifyDataDirectoryOptions } from './datadir.ts'
export { renderResult, type AnchorResult, type Problem, type Tampering, type VerifyResult } from './verdict.ts'
export { findDecision, search, timeOfId, type FoundDecision, type FoundRecord } from './search.ts'
export { tail } from './tail.ts'
export { matches, type AuditQuery } from './query.ts'
export { decisionInputs, type DecisionInputs } from './inputs.ts'
export { nameOf, reasonOf, renderRecord } from './text.ts'
export { PolicyVersions, type KeptVersion } from './versions.ts'
export {
  parseRecord,
  recordJsonSchema,
  type AuditRecord,
  type DecisionRecord,
  type OutcomeRecord,
  type PrincipalRecord,
  type Who,
  type WhoInFull,
} from './schema.ts'
