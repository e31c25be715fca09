/**
 * Survivors of the sample that are neither closed by a case nor shown to be equivalent yet: so many of a file at most. One more fails the run;
 * one less is told, so that the number is lowered.
 */
export const OPEN: Readonly<Record<string, number>> = {
  'src/policy/actions/celltext.ts': 1,
  'src/policy/actions/container/cells.ts': 1,
  'src/policy/actions/container/compare.ts': 1,
  'src/policy/actions/kubernetes/cells.ts': 1,
  'src/policy/actions/llm/cells.ts': 4,
  'src/policy/actions/mcp/cells.ts': 2,
  'src/policy/actions/sets/machine.ts': 2,
  'src/policy/actions/sets/partition.ts': 2,
  'src/policy/actions/sets/sets.ts': 2,
  'src/policy/actions/space.ts': 3,
  'src/policy/actions/spacecell.ts': 4,
  'src/policy/actions/ssh/cells.ts': 1,
  'src/policy/compare/addresses.ts': 2,
  'src/policy/compare/bdd.ts': 2,
  // Its tests are those of `prove`, beside the targets, which are not run here.
  'src/policy/compare/cellproof.ts': 11,
  'src/policy/compare/claims.ts': 3,
  'src/policy/compare/condition.ts': 3,
  'src/policy/compare/cubes.ts': 6,
  'src/policy/compare/difference.ts': 2,
  'src/policy/compare/facts.ts': 2,
  'src/policy/compare/formula.ts': 1,
  'src/policy/compare/index.ts': 6,
  'src/policy/compare/outcome.ts': 1,
  'src/policy/compare/projected.ts': 2,
  'src/policy/compare/render.ts': 7,
  'src/policy/compare/replay.ts': 3,
  'src/policy/compare/roles.ts': 2,
  'src/policy/compare/sample.ts': 8,
  'src/policy/compare/say.ts': 4,
  'src/policy/compare/seen.ts': 6,
  'src/policy/compare/statement.ts': 3,
  'src/policy/compare/told.ts': 4,
  'src/policy/compare/values.ts': 6,
  'src/policy/compare/witness.ts': 3,
  // That slots of a cell are sorted by their id: what is told of them is sorted anyway.
  'src/policy/cell.ts': 1,
}
