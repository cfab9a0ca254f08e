/** For people. Has a trailing newline. */
export function formatSoak(result) {
  const { machine, load, seconds, hours_of_a_day: hours, pods, flips, weather, drops, readers } = result;
  const { memory, holdings, history, problems } = result;
  const [keeper] = readers.keepers;
  const lost = (name) => readers[name].map(({ lost }) => lost.events).join(', ');
  return `${[
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ${machine.commit.slice(0, 9)}; load ${load.before} to ${load.after}`,
    `${seconds} s: ${hours} h of a day's churn`,
    `pods: ${pods}; settings flipped ${flips} times; incidents: ${keeper.incidents_opened} opened, ${keeper.incidents_closed} closed`,
    `weather: ${JSON.stringify(weather)}`,
    `drops: ${drops.sent} sent, ${drops.kernel} refused by the kernel, ${keeper.refused} told`,
    `events: ${keeper.events}; readers: ${readers.opened} streams`,
    `events lost, told: who keeps up ${lost('keepers')}; who comes back ${lost('hoppers')}; who stalls ${lost('stallers')}; who sleeps ${lost('sleepers')}`,
    `history: from event ${history.oldest} on of ${history.next - 1} in memory, at most ${history.disk_most} bytes on disk`,
    `memory: ${memory.mean} MB, at most ${memory.most}, growth ${memory.growth} MB in the last ${memory.over_s} s`,
    `file descriptors: ${JSON.stringify(holdings.before.fds)} before, ${JSON.stringify(holdings.after.fds)} after; ${holdings.after.bpf.length} BPF maps, programs and links`,
    `the soak itself was late by ${result.late_ms} ms at most${result.said.map((line) => `; ${line}`).join('')}`,
    ...problems.map((problem) => `WRONG: ${problem}`),
    problems.length === 0 ? 'nothing was lost, nothing leaked' : `${problems.length} problems`,
  ].join('\n')}\n`;
}
