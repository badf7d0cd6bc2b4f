// Follows a task of pictures or films to its end.

const ENDED = ["completed", "succeeded", "failed", "cancelled", "expired"];
const LEAST_PAUSE_MS = 400;
const MISSED_PAUSE_MS = 2000;
const MOST_MISSED = 10; // looks one after the other: the task goes on without them
const TOO_MANY = 429;
const BROKEN = 500;

/** Whether nothing more will become of a task. */
export function hasEnded(task) {
  return ENDED.includes(task.status);
}

/**
 * Follows a task and returns it at its end; `onTask` gets each state, the first one with it.
 * `call` is that of api.js, `sleep` waits some milliseconds; a signal ends only the following.
 */
export async function followed(first, { call, sleep, signal, onTask }) {
  let task = first;
  let missed = 0;
  onTask(task);
  while (!hasEnded(task)) {
    await sleep(Math.max(LEAST_PAUSE_MS, task.poll_after_ms ?? 0, missed ? MISSED_PAUSE_MS : 0));
    try {
      ({ value: task } = await call("GET", task.poll_url, undefined, { signal }));
      missed = 0;
    } catch (error) {
      missed += 1;
      if (!passes(error) || missed > MOST_MISSED) throw error;
      continue;
    }
    onTask(task);
  }
  return task;
}

// A network that is away, a service that starts anew, or a limit says nothing about the task.
function passes({ status }) {
  return status === 0 || status === TOO_MANY || status >= BROKEN;
}
