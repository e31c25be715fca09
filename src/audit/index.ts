export { openAuditLog, type AuditLog, type AuditLogOptions, type AuditStatus, type CheckpointSigner } from './log.ts'
