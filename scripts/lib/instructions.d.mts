/** Instructions by the name of the function. */
export type InstructionCounts = Record<string, number>;

export const OBJECTS: readonly string[];
export function countInstructions(object: string): InstructionCounts;
export function compilerName(clang?: string): string;
export function recordedInstructions(): Record<string, Record<string, InstructionCounts>>;
