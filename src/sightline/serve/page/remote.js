// The back end of `sightline serve`: the server that the page came from captions the photos.

export const PROMISE = "Photos are sent to the server that this page came from, and to nobody else.";
export const AT_ONCE = 2;

// Nothing needs loading.
export const start = async () => {};

// What `Caption.as_dict()` gives in Python; rejects with a reason for people.
export async function caption(file, {beam_size, length_penalty, evidence}) {
  const form = new FormData();
  form.set("photos", file, file.name || "photo");
  for (const [name, value] of Object.entries({beam_size, length_penalty, evidence, attention: true})) {
    form.set(name, String(value));
  }
  const answer = await patiently(form);
  const body = await answer.json().catch(() => null);
  const [found] = body?.captions ?? [];
  if (found?.words) return found;
  throw new Error(reason(found?.error ?? body?.error ?? body?.detail) ?? `the server answered ${answer.status}`);
}

// A server with a full queue says when to come again.
async function patiently(form) {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(new URL("v1/captions", document.baseURI), {method: "POST", body: form}).catch(() => {
      throw new Error("the server cannot be reached");
    });
    if (answer.status !== 429 || tries === 5) return answer;
    const seconds = Number(answer.headers.get("Retry-After")) || 1;
    await new Promise(resolve => setTimeout(resolve, 1000 * Math.min(seconds, 30)));
  }
}

function reason(error) {
  return typeof error === "string" ? error : error?.message ?? error?.[0]?.msg;
}
