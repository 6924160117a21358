// Files of the model: from this browser's store, or downloaded once and then kept there for use without a network.

// {bytes, kept: whether they are in the store}; `onBytes` is told of each piece as it comes. cache: the store's name.
export async function stored(url, cache, onBytes) {
  // Browsers keep files for secure pages alone, and not for all windows.
  const store = cache ? await globalThis.caches?.open(cache).catch(() => null) : null;
  const kept = await store?.match(url);
  const answer = kept ?? await fetched(url);
  const bytes = await gather(answer.body, onBytes);
  if (kept) return {bytes, kept: true};
  const put = store?.put(url, new Response(bytes, {headers: answer.headers})) ?? Promise.reject();
  return {bytes, kept: await put.then(() => true, () => false)};  // there may be no room
}

// Bundlers write small files into scripts, as data: URLs, which a page's security policy may forbid to fetch.
export async function json(url) {
  if (!url.startsWith("data:")) return (await fetched(url)).json();
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), letter => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

// The server's answer; an error with the address where there is none.
async function fetched(url) {
  const name = new URL(url).pathname.split("/").at(-1);
  const answer = await fetch(url).catch(() => {
    throw new Error(`${name}: cannot be fetched; the server is away, or it or this page's security policy forbids it`);
  });
  if (!answer.ok) throw new Error(`${name}: not on the server (${answer.status})`);
  return answer;
}

// All bytes of a stream; an error that `onBytes` throws ends it.
export async function gather(stream, onBytes) {
  const pieces = [], reader = stream.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      onBytes(piece.value.length);
      pieces.push(piece.value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
  return new Blob(pieces).arrayBuffer();
}
