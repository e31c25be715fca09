/** Classes of statements whose accesses have columns. */
export const WITH_COLUMNS: ReadonlySet<string> = new Set(['select', 'insert', 'update', 'merge', 'copy'])
/** Classes of statements that are about tables, views or functions. */
export const WITH_OBJECT: readonly string[] = ['select', 'insert', 'update', 'delete', 'merge', 'call', 'ddl', 'grant', 'copy']
/** Classes without. */
export const WITHOUT_OBJECT: readonly string[] = ['transaction', 'session', 'other']
export const CLASSES: readonly string[] = [...WITH_OBJECT, ...WITHOUT_OBJECT]
/** What `*` stands for in a rule: the statements about rows. The others run code, change what is there, or who may do what. */
export const ORDINARY: readonly string[] = ['select', 'insert', 'update', 'delete', 'merge']
