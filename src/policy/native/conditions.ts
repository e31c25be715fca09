/** Conditions as questions about a token, three-valued: an error is neither `yes` nor `no`. */
import { all, ALWAYS, any, NEVER, not, test, type Formula, type NativeIssuer, type NativeNetwork } from '../../core/token.ts'
import { parseNetwork, type Network } from '../when/cidr.ts'
import { claimHas, claimIsThere, claimOf } from './claims.ts'
import { takeApart, type Comparison, type Literal, type Operand, type Shape, type Tree } from '../compare/condition.ts'
import type { Condition } from '../when/condition.ts'
import { NoNativeForm } from './native.ts'

export interface Meaning {
  readonly yes: Formula
  readonly no: Formula
}

const ERROR: Meaning = { yes: NEVER, no: NEVER }

/** What a condition comes to for callers of one class. @throws NoNativeForm */
export function meaningOf(condition: Condition, issuer: NativeIssuer | undefined): Meaning {
  for (const [claim, type] of condition.claims) {
    const declared = issuer && claimOf(issuer, claim)
    if (declared !== undefined && declared.type !== type) throw new NoNativeForm(`\`${claim}\` has two types`)
  }
  const tree = takeApart(condition.text)
  if (tree === undefined) throw new NoNativeForm('its condition can not be taken apart')
  return meaning(tree, issuer)
}

function meaning(tree: Tree, issuer: NativeIssuer | undefined): Meaning {
  switch (tree.kind) {
    case 'and': {
      const parts = tree.parts.map((part) => meaning(part, issuer))
      return { yes: all(...parts.map(({ yes }) => yes)), no: any(...parts.map(({ no }) => no)) }
    }
    case 'or': {
      const parts = tree.parts.map((part) => meaning(part, issuer))
      return { yes: any(...parts.map(({ yes }) => yes)), no: all(...parts.map(({ no }) => no)) }
    }
    case 'not': {
      const { yes, no } = meaning(tree.part, issuer)
      return { yes: no, no: yes }
    }
    case 'if': {
      const [condition, yes, no] = [tree.condition, tree.yes, tree.no].map((part) => meaning(part, issuer))
      return {
        yes: any(all(condition!.yes, yes!.yes), all(condition!.no, no!.yes)),
        no: any(all(condition!.yes, yes!.no), all(condition!.no, no!.no)),
      }
    }
    case 'part':
      return ofShape(tree.part.shape, issuer)
  }
}

function ofShape(shape: Shape, issuer: NativeIssuer | undefined): Meaning {
  switch (shape.kind) {
    case 'has': {
      const present = issuer === undefined ? NEVER : claimIsThere(issuer, shape.claim)
      return { yes: present, no: not(present) }
    }
    case 'truth':
      return ofClaim(shape.claim, issuer, [true])
    case 'contains':
      return ofClaim(shape.claim, issuer, [literal(shape.value)])
    case 'within': {
      const [claim, values] = [claimIn(shape.left), shape.list.map(literal)]
      return claim === undefined ? told(values.includes(literal(shape.left))) : ofClaim(claim, issuer, values)
    }
    case 'compare':
      return compared(shape.left, shape.op, shape.right, issuer)
    case 'time': {
      // Instants are compared in milliseconds by those who enforce: between two of them nothing is told apart.
      if (shape.instant % 1_000_000n !== 0n) throw new NoNativeForm('its condition tells instants apart within a millisecond')
      const instant = Number(shape.instant / 1_000_000n)
      const before = test({ is: 'before', instant })
      const after = test({ is: 'before', instant: instant + 1 })
      const yes = {
        '<': before,
        '<=': after,
        '>': not(after),
        '>=': not(before),
        '==': all(not(before), after),
        '!=': any(before, not(after)),
      }[shape.op]
      return { yes, no: not(yes) }
    }
    case 'network': {
      const network = parseNetwork(shape.network)
      if (network === undefined) throw new NoNativeForm('its condition names no network')
      const yes = test({ is: 'address', networks: [nativeNetwork(network)] })
      return { yes, no: not(yes) }
    }
    case 'listed':
    case 'readable':
    case 'number':
    case 'opaque':
      throw new NoNativeForm('its condition asks what only Ostiary can answer')
  }
}

function literal(operand: Operand): Literal {
  if (operand.kind === 'literal') return operand.value
  throw new NoNativeForm(
    `its condition compares two things of the request or of the caller (\`${operand.reads.root}.${operand.reads.name}\`)`,
  )
}

function claimIn(operand: Operand): string | undefined {
  if (operand.kind === 'literal') return undefined
  if (operand.reads.root === 'claims') return operand.reads.name
  throw new NoNativeForm(`its condition reads \`${operand.reads.root}.${operand.reads.name}\``)
}

function told(truth: boolean): Meaning {
  return truth ? { yes: ALWAYS, no: NEVER } : { yes: NEVER, no: ALWAYS }
}

/** Whether a claim has one of these values. One that isn't there is an error. */
function ofClaim(claim: string, issuer: NativeIssuer | undefined, values: readonly Literal[]): Meaning {
  const yes = issuer && claimHas(issuer, claim, values)
  if (issuer === undefined || yes === undefined) return ERROR
  return { yes, no: all(claimIsThere(issuer, claim), not(yes)) }
}

/** A network as enforcement points write it. */
export function nativeNetwork({ address, prefix: bits }: Network): NativeNetwork {
  if (address.length === 4) return { address: address.join('.'), bits }
  const groups = Array.from({ length: 8 }, (_, i) => (address[2 * i]! * 256 + address[2 * i + 1]!).toString(16))
  return { address: groups.join(':'), bits }
}

function compared(left: Operand, op: Comparison, right: Operand, issuer: NativeIssuer | undefined): Meaning {
  const claim = claimIn(left)
  const value = literal(right)
  if (claim === undefined) throw new NoNativeForm('its condition compares literals')
  if (op === '==') return ofClaim(claim, issuer, [value])
  if (op === '!=') {
    const { yes, no } = ofClaim(claim, issuer, [value])
    return { yes: no, no: yes }
  }
  const found = issuer && claimOf(issuer, claim)
  if (found === undefined) return ERROR
  if (found.type !== 'number' || found.path === undefined || typeof value !== 'number') throw new NoNativeForm('its condition orders texts')
  const yes = test({ is: 'compare', path: found.path, op, value })
  return { yes, no: all(test({ is: 'present', path: found.path }), not(yes)) }
}
