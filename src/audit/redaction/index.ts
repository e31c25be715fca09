export { FORMS, MARKER, type Form } from './forms.ts'
export type { Piece } from './pieces.ts'
export { DEFAULT_REDACTION, redactionOf, type Redaction, type RedactionConfig, type Redactor } from './redaction.ts'
export { Typed } from './typed.ts'
