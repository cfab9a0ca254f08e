/** A kind of object that is followed. */
export interface Resource {
  /** "/api/v1/pods" */
  readonly path: string;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** For the person who has to allow it: "list and watch of pods". */
  readonly permission: string;
  /** Objects beyond these are not taken. */
  readonly max: number;
}

/** As part of a query. */
export function selectionOf({ fieldSelector, labelSelector }: Resource): Record<string, string> {
  return {
    ...(fieldSelector !== undefined && { fieldSelector }),
    ...(labelSelector !== undefined && { labelSelector }),
  };
}
