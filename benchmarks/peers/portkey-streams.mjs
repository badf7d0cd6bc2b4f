// Portkey 1.15.2 as shipped answers every stream with 500: it writes to the headers of an answer of
// fetch, which cannot be changed. A copy of the answer can; loaded with --import, this makes one.
const fetched = globalThis.fetch;
globalThis.fetch = async (...given) => {
  const answer = await fetched(...given);
  const isStream = (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
  return isStream ? new Response(answer.body, answer) : answer;
};
