/** Does the work for each item, `jobs` at a time, the first ones first. Resolves to what it returned, in the order of the items. */
export async function inParallel(items, jobs, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at]);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}
